import Basics
import ChatTemplates
import JSON
import TestSupport
import Testing

/// A template may be malicious: everything it does must end in an error, soon, and without exhausting the stack.
@Suite struct TemplateLimitTests {
    @Test(
        arguments: [
            ("brackets", String(repeating: "(", count: 10_000)),
            ("not", "{{ " + String(repeating: "not ", count: 3_000) + "x }}"),
            ("minus", "{{ " + String(repeating: "- ", count: 3_000) + "1 }}"),
            ("else chain", "{{ " + String(repeating: "1 if 0 else ", count: 900) + "1 }}"),
            ("blocks", String(repeating: "{% if 1 %}", count: 5_000)),
            ("long tag", "{{ 1" + String(repeating: " + 1", count: 10_000) + " }}"),
            ("lists", "{{ " + String(repeating: "[", count: 2_000)),
            ("targets", "{% set " + String(repeating: "(", count: 2_000)),
            ("test chain", "{{ x is in " + String(repeating: "[", count: 2_000)),
        ] as [(String, String)])
    func `a source that is nested too deeply is a syntax error`(name: String, source: String) {
        let source = source.hasPrefix("(") ? "{{ " + source : source
        #expect { try ChatTemplate(source: source) } throws: { error in
            if case TemplateError.syntax = error { true } else { false }
        }
    }

    @Test(arguments: [
        "{% macro a() %}{{ a() }}{% endmacro %}{{ a() }}",
        "{% macro a() %}{% if 1 %}{% for x in [1] %}{% if 1 %}{{ a() | trim }}{% endif %}{% endfor %}{% endif %}{% endmacro %}{{ a() }}",
        "{% macro a() %}{% call a() %}{{ caller() }}{% endcall %}{% endmacro %}{{ a() }}",
        "{% for x in [[1]] recursive %}{{ loop([x]) }}{% endfor %}",
        "{{ 1" + String(repeating: " + 1", count: 1_900) + " }}",
        "{{ 'x'" + String(repeating: " | trim", count: 1_900) + " }}",
        "{% set ns = namespace(x=[]) %}{% for i in range(1000) %}{% set ns.x = [ns.x] %}{% endfor %}{{ ns.x }}",
        "{% set ns = namespace(x={}) %}{% for i in range(1000) %}{% set ns.x = {'a': ns.x} %}{% endfor %}{{ ns.x }}",
        "{% set ns = namespace(x=[].count) %}{% for i in range(1000) %}{% set ns.x = ([ns.x]).count %}{% endfor %}",
    ])
    func `deep recursion is refused`(source: String) throws {
        try expectFailure(source)
    }

    @Test(arguments: [
        "{% for a in range(100000) %}{% set b = range(100000) | list %}{% endfor %}",
        "{{ range(100001) }}", "{{ range(-9223372036854775808, 9223372036854775807) }}", "{{ [1] * 99999999999 }}",
        "{{ 'x' * 99999999999 }}", "{{ 'x' | center(99999999999) }}", "{{ 'x'.zfill(99999999999) }}",
        "{{ '%99999999999s' % 'x' }}", "{{ '%.99999999f' % 1.0 }}", "{{ '%*d' % (99999999999, 1) }}",
        "{{ '{:>99999999999}'.format(1) }}", "{{ [1] | batch(99999999999, 0) | list }}",
        "{{ [1] | slice(99999999999) | list }}", "{{ 'a\nb' | indent(99999999999) }}",
        "{{ [[1]] | tojson(indent=99999999999) }}", "{{ 1.5 | round(99999999999) }}", "{{ 2 ** 9999999999 }}",
        "{{ -9223372036854775808 // -1 }}", "{{ -(-9223372036854775807 - 1) }}", "{{ 9223372036854775807 + 1 }}",
        "{% set ns = namespace(s='x') %}{% for i in range(100) %}{% set ns.s = ns.s ~ ns.s %}{% endfor %}",
        "{% set ns = namespace(l=[1]) %}{% for i in range(100) %}{% set ns.l = ns.l + ns.l %}{% endfor %}",
        "{% set ns = namespace(l=[1]) %}{% for i in range(60) %}{% set ns.l = [ns.l, ns.l] %}{% endfor %}{{ ns.l == ns.l }}",
        "{% set ns = namespace(l=[1]) %}{% for i in range(60) %}{% set ns.l = [ns.l, ns.l] %}{% endfor %}{{ ns.l | tojson }}",
        "{% set ns = namespace(l=(1,)) %}{% for i in range(60) %}{% set ns.l = (ns.l, ns.l) %}{% endfor %}{{ {ns.l: 1} }}",
        "{% set s = 'x' * 60000 %}{{ s.replace('x', s) }}", "{% set s = 'x' * 60000 %}{{ s.replace('', s) }}",
        "{% set s = 'x' * 60000 %}{{ ([s] * 300) | join(s) }}",
        "{% set s = 'x' * 9000000 %}{{ s }}{{ s }}", "{% set s = 'x' * 9000000 %}{{ s ~ s ~ s ~ s }}",
        "{% set l = ['x' * 9000000] * 10000 %}{{ l | sort | length }}",
        "{% set l = [['x' * 60000] * 50] * 10000 %}{{ l | map('string') | list | length }}",
        "{{ '%*d' % (-9223372036854775808, 1) }}",
        "{% set s = 'x' * 9000000 %}{% set ns = namespace(l=[]) %}{% for i in range(1000) %}{% set ns.l = ns.l + [s ~ i] %}{% endfor %}",
    ])
    func `work and sizes are bounded`(source: String) throws {
        try expectFailure(source)
    }

    @Test(arguments: [
        "{% set ns = namespace() %}{% set ns.self = ns %}{{ ns }}{{ [ns] }}{{ ns == ns }}",
        "{% set ns = namespace() %}{% for i in range(5000) %}{% set m = namespace(next=ns.n) %}{% set ns.n = m %}{% endfor %}",
        "{% set ns = namespace() %}{% for i in range(5000) %}{% set old = ns.m %}{% macro f() %}{{ old }}{% endmacro %}{% set ns.m = f %}{% endfor %}",
        "{% set ns = namespace() %}{% for i in range(5000) %}{% set ns.c = cycler(ns.c) %}{% endfor %}",
        "{% set ns = namespace() %}{% for i in range(5000) %}{% set ns.c = joiner(ns.c) %}{% endfor %}",
        "{% set ns = namespace() %}{% for i in range(5000) %}{% for y in [ns.l] %}{% set ns.l = loop %}{% endfor %}{% endfor %}",
        "{{ [] | first }}{{ '' | title }}{{ ''[::-1] }}{{ [][5:-9:-2] }}{{ 'abc'[9223372036854775807:] }}{{ 'abc'[::9223372036854775807] }}{{ 'abc'[::-9223372036854775807] }}{{ [1, 2][-9223372036854775807:] }}",
        "{% set least = -9223372036854775808 %}{{ 'x'.center(least) }}{{ '-5'.zfill(least) }}{{ [1][least:least:least] }}",
        "{{ '%.*s' % (-9223372036854775808, 'x') }}{{ '%.*f' % (-1, 1.5) }}{{ '%*d|' % (-5, 1) }}{{ [1][-9223372036854775808] }}",
        "{{ range(0, 9223372036854775807, 9223372036854775807) }}{{ range(0, -9223372036854775808, -9223372036854775808) | list }}",
    ])
    func `suspicious operations are harmless`(source: String) throws {
        _ = try ChatTemplate(source: source).render([:])
    }

    @Test func `text that is created repeatedly is limited by the input`() throws {
        let source = "{% set ns = namespace(s='') %}{% for i in range(n) %}{% set ns.s = ns.s ~ x %}{% endfor %}"
        let template = try ChatTemplate(source: source)
        let text = JSONValue.string(String(repeating: "x", count: 20_000))
        // 20 kB, 40 kB, ... add up to 64 MB after about 80 rounds.
        _ = try template.render(["x": text, "n": 50])
        #expect(throws: TemplateError.self) { try template.render(["x": text, "n": 120]) }
        // The limit grows with the input.
        let large = JSONValue.string(String(repeating: "y", count: 10 << 20))
        _ = try template.render(["x": text, "n": 120, "large": large])
    }

    @Test func `the work for many messages is proportional to their number`() throws {
        let template = try ChatTemplate(source: "{% for m in messages %}{{ m.content }}{% endfor %}")
        let message: JSONValue = ["role": "user", "content": "Hi"]
        let messages = JSONValue.array(Array(repeating: message, count: 100_000))
        let inputs = UntrustedInputs(messages: Set(0..<100_000))
        #expect(try template.render(["messages": messages], untrusted: inputs).map(\.text.utf8.count) == [200_000])
    }

    @Test func `rendering stops when it is cancelled`() throws {
        let template = try ChatTemplate(source: "{% for i in range(100000) %}{% endfor %}")
        _ = try template.render([:])
        Cancellation.$token.withValue(StoppedWork()) {
            #expect { try template.render([:]) } throws: { "\($0)".contains("cancelled") }
        }
    }

    @Test func `any prefix of a template compiles or is refused`() throws {
        let source = Array(
            "a{%- if x is not none and (y[1:] or {'k': [1.5e3, 0x1F]}) -%}{# c #}{{ 'é\\n' ~ -z|d('q') }}{% raw %}{{{% endraw %}\r\n{% endif %}{% macro m(a, b=1) %}{% endmacro %}{% for a, (b) in c if d %}{% else %}{% endfor %}{% call(x) m() %}{% endcall %}"
                .utf8)
        for end in source.indices {
            do throws(TemplateError) {
                _ = try ChatTemplate(source: String(decoding: source[..<end], as: UTF8.self))
            } catch {
                guard case .syntax = error else { throw error }
            }
        }
    }

    private func expectFailure(_ source: String) throws {
        let template = try ChatTemplate(source: source)
        #expect { try template.render([:]) } throws: { error in
            if case TemplateError.failed = error { true } else { false }
        }
    }
}
