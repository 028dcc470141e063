import Testing

@Suite struct RepositoryTests {
    static let longestFile = 400

    @Test func `the rules cover existing files`() {
        #expect(SourceFile.sources.count > 200 && SourceFile.tests.count > 150)
        #expect(Self.prose.count > SourceFile.sources.count)
        #expect(Self.decisions.count > 3)
    }

    @Test func `a file is short enough to read`() {
        for file in SourceFile.sources + SourceFile.tests where file.lines.count > Self.longestFile {
            file.report(
                "\(file.lines.count) lines; more than \(Self.longestFile) hide a second duty", at: Self.longestFile)
        }
    }

    @Test func `tests are written with Swift Testing and named by sentences`() {
        for file in SourceFile.tests {
            for (index, line) in file.code.enumerated() {
                if Code.importedModule(line) == "XCTest" { file.report("XCTest is not used", at: index) }
                guard Code.mentions("Test", in: line), line.contains("@Test") else { continue }
                let function = file.code[index...].first { Code.mentions("func", in: $0) } ?? ""
                if !function.contains("func `") { file.report("a test's name is a sentence in backticks", at: index) }
            }
        }
    }

    @Test(arguments: [
        "ARCHITECTURE.md", "CHANGELOG.md", "CONTRIBUTING.md", "LICENSE", "Makefile", "README.md", "SECURITY.md",
        "docs/api.md", "docs/benchmarks.md", "docs/decisions/README.md", "docs/deploy.md", "docs/options.md",
        "docs/security.md", "docs/troubleshooting.md", "deploy/Dockerfile", "deploy/trinity.service", ".swift-format",
        ".ci/run", "script/setup", "script/package", "script/manual-page",
    ])
    func `the repository has the usual files of a project`(path: String) {
        #expect(!Repository.text(path).isEmpty)
    }

    /// The entries at the top of the repository. A new one belongs into a folder, or into this list.
    private static let top: Set = [
        ".ci", ".gitignore", ".swift-format", "ARCHITECTURE.md", "Benchmarks", "CHANGELOG.md", "CONTRIBUTING.md",
        "Fuzzing", "LICENSE", "Makefile", "Models", "Package.swift", "README.md", "SECURITY.md", "Sources", "Tests",
        "deploy", "docs", "openapi.yaml", "script",
    ]

    @Test(.enabled(if: Repository.exists(".git"), "needs the git checkout"))
    func `tracked files have ordinary names, in known folders`() throws {
        let paths = try Repository.trackedFiles()
        #expect(paths.count > 1000)
        #expect(Set(paths.compactMap { $0.split(separator: "/").first.map(String.init) }) == Self.top)
        for path in paths {
            let isOrdinary = path.split(separator: "/").allSatisfy { name in
                name.first?.isWhitespace == false && name.last?.isWhitespace == false
            }
            #expect(isOrdinary, "'\(path)' has white space at the end of a name")
        }
    }

    static let decisions = Repository.files(in: "docs/decisions").filter {
        $0.hasSuffix(".md") && !$0.hasSuffix("README.md")
    }

    @Test func `every decision is in the index`() {
        let index = Repository.text("docs/decisions/README.md")
        for path in Self.decisions {
            let name = String(path.dropFirst("docs/decisions/".count))
            #expect(index.contains("(\(name))"), "\(name) is missing from docs/decisions/README.md")
        }
    }

    @Test func `a decision has context, decision, alternatives and consequences, on one page`() {
        let headings = ["## Context", "## Decision", "## Alternatives", "## Consequences"]
        for path in Self.decisions {
            let document = MarkdownDocument.at(path)
            #expect(document.lines.filter { $0.hasPrefix("## ") } == headings, "\(path)")
            #expect(document.lines.count <= 60, "\(path)")
        }
    }

    /// Texts that people edit, without fixtures and weights.
    static let prose: [String] = {
        let top = [
            "ARCHITECTURE.md", "CHANGELOG.md", "CONTRIBUTING.md", "Makefile", "Package.swift", "README.md",
            "SECURITY.md",
        ]
        let folders = ["Sources", "Tests", "deploy", "docs", "script"].flatMap(Repository.files)
        let endings = [
            ".swift", ".md", ".py", ".c", ".h", ".yaml", ".yml", ".service", "Dockerfile", "setup", "script/package",
            "manual-page", "control", "copyright", "postinst", "postrm", "prerm",
        ]
        return top
            + folders.filter { path in
                endings.contains(where: path.hasSuffix) && !path.hasPrefix("Tests/Fixtures")
                    && !path.hasPrefix("Tests/TidyTests")
            }
    }()

    @Test func `texts mention no issues and no paths of a machine`() {
        for path in Self.prose {
            let lines = Repository.text(path).split(separator: "\n", omittingEmptySubsequences: false)
            for (index, line) in lines.enumerated() {
                if let mention = Self.outsideMention(line) {
                    SourceFile(path: path, text: "").report("names \(mention)", at: index)
                }
            }
        }
    }

    @Test(
        arguments: [
            ("see issue 12", true), ("fixes #12", true), ("in /home/me/trinity", true),
            ("an issue of 12 tokens", false),
            ("normal form (UAX #15)", false), ("#if os(Linux)", false), ("colour #fff", false), ("\"&#34;\"", false),
            ("the issue is known", false),
        ] as [(String, Bool)])
    func `such mentions are detected`(line: String, isMention: Bool) {
        #expect((Self.outsideMention(Substring(line)) != nil) == isMention)
    }

    private static func outsideMention(_ line: Substring) -> String? {
        for path in ["/work/", "/tmp/wt", "/root/", "/home/", "../shared"] where line.contains(path) {
            return "a path of one machine"
        }
        let words = line.split(separator: " ")
        for (word, next) in zip(words, words.dropFirst())
        where word.lowercased() == "issue" && next.first?.isNumber == true {
            return "an issue"
        }
        // The numbers of Unicode annexes and HTML characters have the same mark.
        let isNumbered = zip([""] + words, words).contains { before, word in
            guard let mark = word.firstIndex(of: "#"), !word[..<mark].hasSuffix("&"), !before.hasSuffix("UAX"),
                !before.hasSuffix("UTS")
            else {
                return false
            }
            let digits = word[word.index(after: mark)...].prefix(while: \.isNumber)
            let rest = word[word.index(after: mark)...].dropFirst(digits.count)
            return !digits.isEmpty && rest.allSatisfy { !$0.isLetter }
        }
        return isNumbered ? "an issue" : nil
    }
}
