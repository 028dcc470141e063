import Basics
import ChatTemplates
import Foundation
import JSON
import TestSupport
import Testing

/// The origin of a rendered text, run by run.
@Suite struct TemplateTrustTests {
    /// The text with untrusted runs in brackets; `u` and `v` are untrusted, `t` is trusted.
    private func marked(_ source: String) throws -> String {
        let variables: JSONObject = ["u": "a-b", "v": ["k": " v\n", "n": 7, "l": ["x", "y"]], "t": "T"]
        return try ChatTemplate(source: source).render(variables, untrusted: UntrustedInputs(variables: ["u", "v"]))
            .map { $0.isTrusted ? $0.text : "[\($0.text)]" }.joined()
    }

    @Test(
        arguments: [
            ("<{{ u }}>{{ t }}", "<[a-b]>T"), ("{{ '<' + u + '>' }}", "<[a-b]>"), ("{{ t ~ u ~ v.n }}", "T[a-b]7"),
            ("{{ (t + u + t)[0:3] }}", "T[a-]"), ("{{ (t + u)[::-1] }}", "[b-a]T"), ("{{ (t + u)[1] }}", "[a]"),
            ("{{ ('  ' + u + '  ') | trim }}", "[a-b]"), ("{{ ('x' + v.k).strip() }}", "x[ v]"),
            ("{{ [u, t] | join(', ') }}", "[a-b], T"), ("{{ '|'.join(u.split('-')) }}", "[a]|[b]"),
            ("{{ u.replace('-', '+') }}", "[a]+[b]"), ("{{ 'x-y' | replace('-', u) }}", "x[a-b]y"),
            ("{{ u.partition('-')[1] }}{{ u.rpartition('-')[0] }}", "[-a]"),
            ("{{ (t + u) | upper }}", "[TA-B]"), ("{{ (t + t) | lower }}", "tt"), ("{{ u.title() }}", "[A-B]"),
            ("{{ v | tojson }}", "[{\"k\": \" v\\n\", \"n\": 7, \"l\": [\"x\", \"y\"]}]"),
            ("{{ {'a': t} | tojson }}", "{\"a\": \"T\"}"), ("{{ v.l }}", "[['x', 'y']]"), ("{{ [t] }}", "['T']"),
            ("{{ '%s.%s' % (t, u) }}", "T.[a-b]"), ("{{ (u + '%s') % t }}", "[a-bT]"), ("{{ '%c' % v.n }}", "[\u{7}]"),
            ("{{ '{}:{x}'.format(t, x=u) }}", "T:[a-b]"), ("{{ (u + '{}').format(t) }}", "[a-bT]"),
            ("{{ '%r' % u }}", "['a-b']"), ("{{ '{:>5}'.format(u) }}", "  [a-b]"),
            ("{{ u.center(5, '*') }}", "*[a-b]*"),
            ("{{ t.center(3, u[1]) }}", "[-]T[-]"), ("{{ u * 2 }}", "[a-ba-b]"), ("{{ (t + u) * 2 }}", "T[a-b]T[a-b]"),
            ("{% for c in t + u %}{{ c }}.{% endfor %}", "T.[a].[-].[b]."), ("{{ v.keys() | first }}", "[k]"),
            ("{{ (u ~ '\n' ~ t) | indent(2, true) }}", "  [a-b]\n  T"),
            ("{{ (t ~ u).splitlines() | last }}", "T[a-b]"), ("{{ u | default('d') }}{{ w | default('d') }}", "[a-b]d"),
            ("{% macro m(x) %}({{ x }}){% endmacro %}{{ m(u) }}{{ m(t) | trim }}", "([a-b])(T)"),
            ("{% macro m() %}{{ kwargs.keys() | join }}{% endmacro %}{{ m(**v) }}{{ m(a=1) }}", "[knl]a"),
            ("{{ dict(**v).keys() | join }}{{ dict(v, b=1).keys() | last }}", "[knl]b"),
            ("{% set x %}<{{ u }}>{% endset %}{{ x }}", "<[a-b]>"),
            ("{% set n = namespace(x=u) %}{% set n.x = n.x + t %}{{ n.x }}", "[a-b]T"),
            ("{% filter upper %}{{ u }}{{ t }}{% endfilter %}{% filter trim %} {{ t }} {% endfilter %}", "[A-BT]T"),
            ("{% for c in v.l recursive %}{{ c }}{{ loop.previtem }}{% endfor %}", "[xyx]"),
            ("{{ [u, t] | map('upper') | join }}{{ [u, t] | sort | join('/') }}", "[A-B]T[a-b]/T"),
            ("{{ u | e }}{{ t | urlencode }}{{ ('<p>' + u) | striptags }}", "[a-b]T[a-b]"),
            ("{{ (t ~ u) | truncate(3, true, '', 0) }}{{ u | wordwrap(1) }}", "T[a-a]\n[-]\n[b]"),
            ("{{ '-7'.zfill(4) }}{{ ('-' + u).zfill(6) }}", "-007-00[a-b]"),
            ("{{ strftime_now('%%' + u) }}{{ strftime_now('%%') }}", "[%a-b]%"),
            ("{{ u is string }}{{ u | length }}{{ u.find('-') }}", "True31"),
        ] as [(String, String)])
    func `a string keeps its origin in every operation`(source: String, expected: String) throws {
        #expect(try marked(source) == expected)
    }

    @Test func `a role is trusted within an untrusted message`() throws {
        let template = try ChatTemplate(source: "{% for m in messages %}<|{{ m.role }}|>{{ m.content }}{% endfor %}")
        let messages: JSONValue = [["role": "user", "content": "U"], ["role": "system", "content": "S"]]
        let runs = try template.render(["messages": messages], untrusted: UntrustedInputs(messages: [0]))
        #expect(
            runs == [
                TextRun(text: "<|user|>", isTrusted: true), TextRun(text: "U", isTrusted: false),
                TextRun(text: "<|system|>S", isTrusted: true),
            ])
    }

    @Test(arguments: TemplateTests.templates.map(\.name))
    func `trust does not change the text`(name: String) throws {
        let now = try #require(TemplateTests.now)
        let vectors = try #require(TemplateTests.templates.first { $0.name == name }?.vectors)
        var compared = 0
        for vector in vectors {
            guard let text = vector.expected["text"]?.string else { continue }
            compared += 1
            let template = try ChatTemplate(source: vector.source)
            let count = vector.context["messages"]?.array?.count ?? 0
            for untrusted in [
                UntrustedInputs.none, UntrustedInputs(variables: ["tools"], messages: Set(0..<count)),
                UntrustedInputs(variables: Set(vector.context.names)),
            ] {
                let runs = try template.render(vector.context, untrusted: untrusted, now: now)
                #expect(runs.map(\.text).joined() == text)
                #expect(zip(runs, runs.dropFirst()).allSatisfy { $0.isTrusted != $1.isTrusted })
                #expect(!runs.contains { $0.text.isEmpty })
            }
        }
        #expect(compared > 5)
    }

    /// Each untrusted string has a mark; everywhere in the output, it must be in an untrusted run.
    @Test func `untrusted text stays untrusted in every operation of a template`() throws {
        let now = try #require(TemplateTests.now)
        var marks = 0
        for vector in TemplateTests.snippets + TemplateTests.templates.flatMap(\.vectors) {
            guard let template = try? ChatTemplate(source: vector.source) else { continue }
            var context = vector.context
            for (name, value) in vector.context where name != "add_generation_prompt" { context[name] = marked(value) }
            let untrusted = UntrustedInputs(
                variables: Set(context.names).subtracting(["messages"]),
                messages: Set(0..<(context["messages"]?.array?.count ?? 0)))
            guard let text = try? template.render(context, now: now) else { continue }
            let runs = try template.render(context, untrusted: untrusted, now: now)
            #expect(runs.map(\.text).joined() == text, "\(vector.name)")
            marks += text.unicodeScalars.count { $0 == "‡" }
            for run in runs where run.isTrusted {
                #expect(!run.text.unicodeScalars.contains("‡"), "\(vector.name)")
            }
        }
        #expect(marks > 1_000)
    }

    private func marked(_ value: JSONValue) -> JSONValue {
        switch value {
        case .string(let text): return .string("‡" + text + "‡")
        case .array(let elements): return .array(elements.map(marked))
        case .object(var object):
            for (name, member) in object where !["role", "type"].contains(name) { object[name] = marked(member) }
            return .object(object)
        default: return value
        }
    }

    /// Special tokens at random places in text of users, tools and tool descriptions add no special ids: only the template's
    /// remain, as many as for a harmless spelling of the same tokens.
    @Test(arguments: TemplateTests.templates.map(\.name))
    func `no special token comes from an untrusted run`(name: String) throws {
        let tokenizer = try TokenizerVectors(kind: "trinity_like").tokenizer
        let specials = (0..<Int32(13)).compactMap(tokenizer.token)
        #expect(specials.count == 13)
        let vectors = try #require(TemplateTests.templates.first { $0.name == name }?.vectors)
        var random = SeededGenerator(seed: 5)
        var compared = 0
        for (index, vector) in vectors.enumerated() where vector.expected["text"] != nil {
            let template = try ChatTemplate(source: vector.source)
            var (hostile, harmless) = (vector.context, vector.context)
            for variable in ["messages", "tools"] {
                let (spliced, spelled) = splice(specials, into: vector.context[variable] ?? .null, using: &random)
                (hostile[variable], harmless[variable]) = (spliced, spelled)
            }
            let count = vector.context["messages"]?.array?.count ?? 0
            let untrusted = UntrustedInputs(variables: ["tools"], messages: Set(0..<count))
            guard let runs = try? template.render(hostile, untrusted: untrusted),
                let harmlessText = try? template.render(harmless)
            else { continue }
            compared += 1
            let ids = tokenizer.encode(runs, addSpecialTokens: false)
            let expected = tokenizer.encode(harmlessText, addSpecialTokens: false).filter(tokenizer.isSpecial)
            #expect(ids.filter(tokenizer.isSpecial) == expected, "case \(index)")
            #expect(tokenizer.decode(ids, skipSpecialTokens: false) == (try template.render(hostile)), "case \(index)")
        }
        #expect(compared > 5)
    }

    /// `value` with special tokens in its strings, and the same with their bars replaced. Roles stay.
    private func splice(
        _ specials: [String], into value: JSONValue, using random: inout SeededGenerator
    ) -> (JSONValue, JSONValue) {
        switch value {
        case .string(let text):
            var scalars = Array(text.unicodeScalars)
            var spelled = scalars
            for _ in 0..<Int.random(in: 0...3, using: &random) {
                guard let special = specials.randomElement(using: &random) else { continue }
                // Both have the same length, so positions correspond.
                let place = Int.random(in: 0...scalars.count, using: &random)
                scalars.insert(contentsOf: special.unicodeScalars, at: place)
                spelled.insert(contentsOf: special.unicodeScalars.map { $0 == "|" ? "!" : $0 }, at: place)
            }
            return (.string(string(scalars)), .string(string(spelled)))
        case .array(let elements):
            let pairs = elements.map { splice(specials, into: $0, using: &random) }
            return (.array(pairs.map(\.0)), .array(pairs.map(\.1)))
        case .object(let object):
            var (hostile, harmless) = (object, object)
            for (name, member) in object where !["role", "type"].contains(name) {
                (hostile[name], harmless[name]) = splice(specials, into: member, using: &random)
            }
            return (.object(hostile), .object(harmless))
        default: return (value, value)
        }
    }

    private func string(_ scalars: [Unicode.Scalar]) -> String {
        String(String.UnicodeScalarView(scalars))
    }

    @Test func `a template cannot create unlimited runs`() throws {
        let source = "{% set x = (u ~ '.') * 16000000 %}{{ x }}"
        #expect(throws: TemplateError.self) {
            try ChatTemplate(source: source).render(["u": "a"], untrusted: UntrustedInputs(variables: ["u"]))
        }
    }
}
