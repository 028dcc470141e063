import Foundation
import Synchronization
import TestSupport
import Testing

@testable import Text

/// How much is done for a client between two questions whether to stop, whatever it sends: a small part of the whole, in CPU
/// time of the thread, so that a busy machine does not matter.
@Suite(.serialized) struct CheckpointTests {
    /// Bytes of a hostile input: 8 times what may lie between two questions.
    private static let inputBytes = 8 * Cancellation.checkpointBytes
    /// The longest stretch, as a share of the whole. A step costs more in some places than in others.
    private static let longestShare = 0.25

    /// Measures the stretches between questions; asks to stop from the first on, where it is told to.
    private final class StretchMeter: CancellationToken {
        private struct Stretches {
            var last = StretchMeter.threadSeconds
            var longest = 0.0
        }

        private let stretches = Mutex(Stretches())
        private let stops: Bool

        init(stops: Bool = false) {
            self.stops = stops
        }

        func shouldStop() -> Bool {
            stretches.withLock { stretches in
                let now = Self.threadSeconds
                stretches.longest = max(stretches.longest, now - stretches.last)
                stretches.last = now
            }
            return stops
        }

        /// The longest stretch, that up to now included, in seconds.
        var longest: Double { stretches.withLock { max($0.longest, Self.threadSeconds - $0.last) } }

        static var threadSeconds: Double {
            var time = timespec()
            clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time)
            return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
        }
    }

    /// Runs `work` to its end, and once more told to stop at its first question.
    private func expectCheckpoints(_ name: String, share: Double = longestShare, _ work: () -> Void) {
        // What is made only once.
        Cancellation.$token.withValue(StretchMeter(stops: true)) { work() }
        let begin = StretchMeter.threadSeconds
        let meter = StretchMeter()
        let longest = Cancellation.$token.withValue(meter) {
            work()
            return meter.longest
        }
        let whole = StretchMeter.threadSeconds - begin
        #expect(longest <= whole * share + 0.002, "\(name): \(longest) s of \(whole) s without a question")
        let stopped = StretchMeter.threadSeconds
        Cancellation.$token.withValue(StretchMeter(stops: true)) { work() }
        let late = StretchMeter.threadSeconds - stopped
        #expect(late <= whole * share * 2 + 0.002, "\(name): \(late) s of \(whole) s when told to stop")
    }

    /// `unit`, over and over.
    private static func text(of unit: String, bytes: Int = inputBytes) -> String {
        String(repeating: unit, count: bytes / unit.utf8.count)
    }

    // MARK: Tokenizer

    static let texts: [(name: String, unit: String)] = [
        ("one word", "a"), ("capitals", "A"), ("digits", "7"), ("spaces", " "), ("newlines", "\n"), ("slashes", "/"),
        ("ideographs", "\u{4E2D}"), ("accents", "\u{301}"), ("words", " word"),
        ("long words", text(of: "ab", bytes: 2000) + " "),
        ("apostrophes", "'s"), ("joined marks", "\u{2581}"),
    ]

    static let files: [(name: String, normalizer: String, preTokenizer: String, texts: Set<String>)] = [
        (
            "byte level", "null", #"{"type": "ByteLevel", "add_prefix_space": false, "use_regex": true}"#,
            ["one word", "words", "long words"]
        ),
        (
            "NFC and words of o200k", #"{"type": "NFC"}"#,
            split(o200k),
            ["one word", "capitals", "spaces", "newlines", "slashes", "ideographs", "accents", "apostrophes"]
        ),
        ("digits in threes", #"{"type": "Lowercase"}"#, split(#"\\d{1,3}(?=(?:\\d{3})*\\b)"#), ["digits", "one word"]),
        (
            "ranges", #"{"type": "Strip", "strip_left": true, "strip_right": true}"#, split("[一-龥]+"),
            ["ideographs", "spaces"]
        ),
        (
            "marks of words", #"{"type": "Replace", "pattern": {"String": " "}, "content": "\u2581"}"#,
            #"{"type": "Metaspace", "replacement": "\u2581", "prepend_scheme": "always", "split": false}"#,
            ["words", "one word", "joined marks"]
        ),
    ]

    private static let o200k = {
        let prefix = #"[^\\r\\n\\p{L}\\p{N}]?"#
        let upper = #"[\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}]"#
        let lower = #"[\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}]"#
        let suffix = "(?i:'s|'t|'re|'ve|'m|'ll|'d)?|"
        return prefix + upper + "*" + lower + "+" + suffix + prefix + upper + "+" + lower + "*" + suffix
            + #"\\p{N}{1,3}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n/]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+"#
    }()

    private static func split(_ regex: String) -> String {
        #"{"type": "Split", "pattern": {"Regex": "\#(regex)"}, "behavior": "Isolated", "invert": false}"#
    }

    private func tokenizer(_ normalizer: String, _ preTokenizer: String) throws -> Tokenizer {
        let vocabulary = #"{"a": 0, "b": 1, "aa": 2, "ab": 3, "aaaa": 4, "\u2581": 5, "7": 6}"#
        return try Tokenizer(
            parsing: Array(
                """
                {"added_tokens": [{"id": 7, "content": "aaaaaaaab", "normalized": false, "special": false}],
                "normalizer": \(normalizer), "pre_tokenizer": \(preTokenizer), "decoder": null,
                "model": {"type": "BPE", "vocab": \(vocabulary), "merges": ["a a", "a b", "aa aa"]}}
                """.utf8))
    }

    @Test(arguments: files.indices)
    func `a tokenizer asks throughout a hostile text`(file: Int) throws {
        let file = Self.files[file]
        let tokenizer = try tokenizer(file.normalizer, file.preTokenizer)
        let texts = Self.texts.filter { file.texts.contains($0.name) }
        #expect(!texts.isEmpty && texts.count == file.texts.count, "\(file.texts)")
        for (name, unit) in texts {
            let runs = [TextRun(text: Self.text(of: unit), isTrusted: false)]
            expectCheckpoints("\(file.name), \(name)") { _ = tokenizer.encode(runs, addSpecialTokens: false) }
        }
    }

    /// Where long texts are cut to be normalised, nothing is lost: no character there is reordered or joins the one before.
    @Test func `a text is normalised in parts as it is as a whole`() {
        var seconds: Set<Unicode.Scalar> = []
        let scalars = (0..<UInt32(0x110000)).compactMap(Unicode.Scalar.init)
        for scalar in scalars {
            seconds.formUnion(String(scalar).decomposedStringWithCanonicalMapping.unicodeScalars.dropFirst())
        }
        let separators = scalars.filter { UnicodeForm.separates($0.value) }
        #expect(separators.contains("a") && !separators.contains("\u{301}"))
        for scalar in separators {
            for form in [
                String(scalar).decomposedStringWithCanonicalMapping,
                String(scalar).decomposedStringWithCompatibilityMapping,
            ] {
                guard let first = form.unicodeScalars.first else { continue }
                #expect(
                    first.properties.canonicalCombiningClass == .notReordered && !seconds.contains(first), "\(scalar)")
            }
        }
    }

    // MARK: JSON

    /// Told by their names: a test prints its arguments.
    static let readTexts: [String: String] = [
        "spaces": "[" + text(of: " ") + "]", "newlines behind": "[]" + text(of: "\n"),
        "one string": "\"" + text(of: "x") + "\"", "escapes": "\"" + text(of: "\\n") + "\"",
        "numbers": "[" + text(of: "1,") + "1]", "strings": "[" + text(of: #""abcdefg","#) + "1]",
        "longer strings": "[" + text(of: "\"" + text(of: "y", bytes: 3000) + "\",") + "1]",
        "names": "{" + (0..<50_000).map { #""name\#($0)":1"# }.joined(separator: ",") + "}",
    ]

    @Test(arguments: readTexts.keys.sorted())
    func `reading JSON asks throughout a hostile text`(name: String) throws {
        let bytes = Array(try #require(Self.readTexts[name]).utf8)
        expectCheckpoints("reading \(name)") { _ = try? JSONValue(parsing: bytes) }
        expectCheckpoints("estimating \(name)") { _ = JSONValue.estimatedBytes(of: bytes) }
    }

    static let written: [String: JSONValue] = [
        "one string": .string(text(of: "x")), "escapes": .string(text(of: "\n")),
        "strings": .array(Array(repeating: .string(text(of: "y", bytes: 3000)), count: 32 * inputBytes / 3000)),
        "numbers": .array(Array(repeating: .integer(1), count: inputBytes / 2)),
    ]

    @Test(arguments: written.keys.sorted())
    func `writing JSON asks throughout a large value`(name: String) throws {
        let value = try #require(Self.written[name])
        expectCheckpoints("writing \(name)") { _ = value.serialized }
    }

    // MARK: Grammars

    /// As large as they may be.
    static let grammars: [String: GrammarSource] = {
        let names = (0..<8000).map { "name\($0)" }
        let most = GrammarSource.mostBytes - 1000
        return [
            "one word": .regex(text(of: "a", bytes: most)),
            "alternatives": .regex(text(of: "ab|cd|", bytes: most) + "a"),
            "groups": .regex(text(of: "(a|b)", bytes: most)), "classes": .regex(text(of: "[a-f]", bytes: most)),
            "one class": .regex("[" + text(of: "ab", bytes: most) + "]"), "choice": .choice(names),
            "long choices": .choice((0..<20).map { text(of: "x", bytes: 10_000) + "\($0)" }),
            "one rule": .gbnf("root ::= " + text(of: "\"a\" ", bytes: most)),
            "rules": .gbnf("root ::= \"a\"\n" + (0..<8000).map { "r\($0) ::= \"a\"\n" }.joined()),
            "comments": .gbnf("root ::= \"a\"\n" + text(of: "# a\n", bytes: most)),
            "enum": .jsonSchema(["enum": .array(names.map { .string($0) })]),
            "properties": .jsonSchema([
                "type": "object",
                "properties": .object(names.reduce(into: JSONObject()) { $0[$1] = ["type": "integer"] }),
            ]),
            "long name": .jsonSchema(["const": .string(text(of: "x", bytes: most))]),
        ]
    }()

    @Test(arguments: grammars.keys.sorted())
    func `compiling asks throughout a hostile grammar`(name: String) throws {
        let source = try #require(Self.grammars[name])
        let trie = VocabularyTrie(tokens: (UInt8(ascii: "a")...UInt8(ascii: "z")).map { [$0] })
        // Texts to choose from are sorted at once.
        let share = ["choice", "enum", "groups"].contains(name) ? 0.5 : Self.longestShare
        expectCheckpoints(name, share: share) { _ = try? source.compile(trie) }
    }

    // MARK: Templates

    @Test(arguments: [
        "x | trim", "x | upper", "x | lower", "x | title", "x | capitalize", "x | reverse", "x | e", "x | urlencode",
        "x | striptags", "x | wordcount", "x | wordwrap(9)", "x | indent", "x | tojson", "x | replace('ab', 'c')",
        "x.split() | length", "x.split('b') | length", "x.split('b', 3) | length", "x.rsplit('b', 3) | length",
        "x.title()",
        "x.swapcase()", "x.splitlines() | length", "x.strip('<a b>')", "x.rfind('zz')", "x.count('ab')", "x[::-1]",
        "[x] | string", "x | list | length", "'zz' in x",
    ])
    func `a template asks throughout a client's text`(expression: String) throws {
        let template = try ChatTemplate(source: "{{ \(expression) }}")
        let unit = ["x | trim", "x | wordwrap(9)"].contains(expression) ? " " : "<ab ab>\n"
        // What was made of it is freed at once.
        let share = expression.contains("list") || expression.contains("split") ? 0.5 : Self.longestShare
        let variables: JSONObject = ["x": .string(Self.text(of: unit))]
        expectCheckpoints(expression, share: share) { _ = try? template.render(variables) }
    }
}
