import ChatTemplates
import Testing

/// Cases without vectors, checked against the reference implementation by hand.
@Suite struct TemplateSemanticsTests {
    @Test(
        arguments: [
            ("{{ range(3) }} {{ range(5)[1:3] }} {{ {'a': 1}.keys() }}", "range(0, 3) range(1, 3) dict_keys(['a'])"),
            ("{{ 'a b  c '.split(maxsplit=1) }} {{ '  a b c '.rsplit(None, 1) }}", "['a', 'b  c '] ['  a b', 'c']"),
            ("{{ 'a-b-c'.partition('-') }} {{ 'a-b-c'.rpartition('-') }}", "('a', '-', 'b-c') ('a-b', '-', 'c')"),
            ("{{ 'abcabc'.rfind('c') }} {{ 'éa'.find('a') }} {{ 'aaa'.count('aa') }}", "5 1 1"),
            ("{{ 'ab'.center(5, '*') }} {{ '-5'.zfill(4) }}", "**ab* -005"),
            ("{{ \"it's a dog's\".title() }} {{ \"it's a-b (c)\" | title }}", "It'S A Dog'S It's A-B (C)"),
            (
                "{{ 9.5e15 }} {{ 12345678901234567.0 }} {{ 0.0001 }} {{ 0.00001 }} {{ -0.0 }}",
                "9500000000000000.0 1.2345678901234568e+16 0.0001 1e-05 -0.0"
            ),
            ("{{ 7 // -2 }} {{ 7 % -3 }} {{ -7.5 % 2 }} {{ 2 ** -1 }} {{ (-2) ** 3 }}", "-4 -2 0.5 0.5 -8"),
            ("{{ {1: 'a', 1.0: 'b', true: 'c'} }} {{ {1: 'a'}[true] }}", "{1: 'c'} a"),
            ("{{ 3 > 2 > 1 }} {{ [1, 2] < [1, 3] }} {{ 1 in zz }} {{ not 'a' in ['b'] }}", "True True False True"),
            ("{% for a, (b, c) in [(1, (2, 3))] %}{{ a }}{{ b }}{{ c }}{% endfor %}", "123"),
            (
                "{% for x in [[1, [2]], 3] recursive %}{{ loop.depth }}{% if x is iterable %}({{ loop(x) }}){% else %}{{ x }}{% endif %}{% endfor %}",
                "1(212(32))13"
            ),
            ("{% for x in [1, 1, 2] %}{{ loop.changed(x) }} {% endfor %}", "True False True "),
            (
                "{% macro m() %}{{ x }}{% endmacro %}{% set x = 1 %}{{ m() }}{% set x = 2 %}{{ m() }}{% for x in [7] %}{{ m() }}{% endfor %}",
                "122"
            ),
            ("{% macro m(a, b=a) %}{{ a }}{{ b }}{% endmacro %}{{ m(1) }}{{ m(b=3, a=4) }}", "1143"),
            ("{% macro p() %}{{ varargs }}{{ kwargs }}{% endmacro %}{{ p(*[1, 2], **{'k': 1}) }}", "(1, 2){'k': 1}"),
            ("{% set x | upper | trim %} abc {% endset %}[{{ x }}]", "[ABC]"),
            ("{{ none | select | list }} {{ [{'a': {'b': 1}}] | map(attribute='a.b') | list }}", "[] [1]"),
            (
                "{{ 2.675 | round(2) }} {{ 0.5 | round }} {{ 1234 | round(-2) }} {{ 2.1 | round(0, 'ceil') }}",
                "2.67 0.0 1200 3.0"
            ),
            (
                "{{ '%5d|%-5d|%05d|%+d' % (3, 4, 5, 6) }} {{ '%(a)s' % {'a': 1} }} {{ '%s' % [1] }}",
                "    3|4    |00005|+6 1 [1]"
            ),
            (
                "{{ '{:>5}|{:^5}|{:05d}|{:,}|{:.2f}|{!r}'.format(1, 'b', 42, 1234567, 3.14159, 'q') }}",
                "    1|  b  |00042|1,234,567|3.14|'q'"
            ),
            (
                "{{ {1: 2, none: 3, true: 4} | tojson }} {{ '\\x7f\\u2028' | tojson(true) }}",
                "{\"1\": 4, \"null\": 3} \"\\u007f\\u2028\""
            ),
            ("{{ 'a\\r\\nb\\rc\\n'.splitlines(true) }}", "['a\\r\\n', 'b\\r', 'c\\n']"),
            ("{{ [zz] }} {{ zz | tojson is string if false else 'ok' }}", "[Undefined] ok"),
            ("{{ 'ǆ'.title() }} {{ 'ﬁx' | capitalize }} {{ 'Straße'.casefold() }}", "ǅ Fix strasse"),
        ] as [(String, String)])
    func `a template renders with Python's semantics`(source: String, text: String) throws {
        #expect(try ChatTemplate(source: source).render([:]) == text)
    }

    @Test(arguments: [
        "{{ zz.a }}", "{{ zz() }}", "{{ zz + 1 }}", "{{ zz | tojson }}", "{{ [zz] | tojson }}", "{{ none + 'a' }}",
        "{{ 1 < 'a' }}", "{{ 1 in 5 }}", "{{ 1 / 0 }}", "{{ 5 | length }}", "{{ 'a' | items }}",
        "{{ [1, 'a'] | sort }}",
        "{{ {[1]: 2} }}", "{{ ''.split('') }}", "{{ '%d' % 'a' }}", "{{ '{}'.format() }}", "{{ [].append(1) }}",
        "{{ namespace(_a=1) }}", "{% set zz.a = 1 %}", "{% set x, y = [1] %}", "{% for x in none %}{% endfor %}",
        "{% macro m(a) %}{% endmacro %}{{ m(1, 2) }}", "{% macro m(a) %}{% endmacro %}{{ m(b=1) }}",
        "{{ 1 | nofilter }}",
    ])
    func `a run-time error is a failure`(source: String) throws {
        let template = try ChatTemplate(source: source)
        #expect { try template.render([:]) } throws: { if case TemplateError.failed = $0 { true } else { false } }
    }

    @Test(
        arguments: [
            ("\n{% if %}", 2), ("{{ 1 2 }}", 1), ("a\n\n{{ x. }}", 3), ("{% break %}", 1), ("{% for x in y %}", 1),
            ("{% unknown %}", 1), ("{# open", 1), ("{% raw %}", 1), ("{{ 'open }}", 1), ("{{ (1] }}", 1),
            ("{% set 1 = 2 %}", 1),
            ("{% macro m(a=1, b) %}{% endmacro %}", 1), ("{{ f(a=1, 2) }}", 1), ("{{ x is }}", 1), ("{% endif %}", 1),
        ] as [(String, Int)])
    func `a syntax error has its line`(source: String, line: Int) {
        #expect { try ChatTemplate(source: source) } throws: { error in
            if case TemplateError.syntax(_, let found) = error { found == line } else { false }
        }
    }

    @Test func `a failure has the line of its tag`() throws {
        let template = try ChatTemplate(
            source: "{% for x in [1] %}\n{% if x %}\n\n{{ x.y.z }}\n{% endif %}{% endfor %}")
        #expect { try template.render([:]) } throws: { error in
            if case TemplateError.failed(_, let line, _) = error { line == 4 } else { false }
        }
    }
}
