import Server
import Testing

/// The manual describes exactly the features of the server.
@Suite struct ManualTests {
    @Test func `the manual has the table of options`() {
        let page = Repository.text("docs/options.md")
        #expect(OptionManual.update(page) == page, "run make docs")
        let flags = MarkdownDocument.at("docs/options.md").rows.compactMap { cells in
            MarkdownDocument.codes(cells[0]).first?.split(separator: " ").first.map(String.init)
        }
        for option in ServerConfiguration.Option.allCases { #expect(flags.contains(option.flag), "\(option)") }
        for section in OptionEntry.Section.allCases { #expect(page.contains("## \(section.rawValue)\n")) }
    }

    @Test func `earlier names of options are in no user documentation`() {
        let options = ServerConfiguration.Option.allCases
        // `trinity plan` has an option --weights of its own, and llama-server has --cors-origins.
        let flags = Set(options.flatMap(\.entry.aliases).map { "--" + $0 }).subtracting(["--weights", "--cors-origins"])
        let variables = Set(options.flatMap { $0.entry.aliases.map(ServerConfiguration.Option.variable) })
        let folders = ["docs", "deploy", "Tests/Clients", "Benchmarks"].flatMap(Repository.files)
        #expect(folders.count > 50)
        for path in folders + ["README.md", "SECURITY.md", "CHANGELOG.md", "Makefile", "openapi.yaml"] {
            let words = Repository.text(path).split { !($0.isLetter || $0.isNumber || $0 == "-" || $0 == "_") }.map(
                String.init)
            #expect(flags.union(variables).intersection(words).sorted() == [], "\(path)")
        }
    }

    @Test func `options that the documents name exist`() {
        let known = Set(
            ServerConfiguration.Option.allCases.flatMap { option in
                if case .switch = option.entry.kind { [option.flag, "--no-" + option.name] } else { [option.flag] }
            })
        // Options of other commands: of this binary, of build tools, of docker, curl and nginx.
        let others: Set<String> = [
            "--help", "--version", "--json", "--quick", "--contexts", "--shape", "--out", "--format", "--seed",
            "--quantize-head", "--round-others", "--precision", "--dry-run", "--plot", "--flops", "--train", "--batch",
            "--group", "--context", "--sequences", "--weights", "--memory", "--bandwidth",
            "--tokenizer",
            "--template", "--now",
            "--system", "--reference", "--text", "--tokens", "--windows", "--lengths", "--depths", "--samples",
            "--digits",
            "--concurrency", "--timeout", "--svg",
            "--max-tokens", "--temperature", "--top-p", "--reasoning-effort", "--filter", "--static-swift-stdlib",
            "--product", "--build", "--stop-timeout", "--generate-completion-script", "--strip-components",
            // Of the programs in clients.md.
            "--openai-api-base", "--openai-api-key", "--apply", "--backend", "--url",
            // Of mpirun.
            "--hostfile", "--map-by", "--bind-to", "--hosts",
        ]
        let pages = ["README.md", "SECURITY.md"] + Repository.files(in: "docs").filter { $0.hasSuffix(".md") }
        for path in pages where !path.contains("benchmarks") {
            for (index, line) in MarkdownDocument.at(path).lines.enumerated() {
                // In the comparison with other servers, our options are in the last column.
                let isComparison = path.contains("coming-from")
                let text = isComparison ? MarkdownDocument.cells(line).last ?? "" : line
                for code in MarkdownDocument.codes(text) {
                    for word in code.split(separator: " ") where word.hasPrefix("--") {
                        let flag = String(word.prefix { $0 == "-" || $0.isLetter })
                        if !known.contains(flag), !others.contains(flag) {
                            SourceFile(path: path, text: "").report("there is no option \(flag)", at: index)
                        }
                    }
                }
            }
        }
    }

    /// Names of metrics in the sources: string literals with a known prefix.
    static let metrics: Set<String> = {
        let files = SourceFile.sources.filter { $0.isIn("Sources/Server/Observability") }
        return Set(
            files.flatMap(\.lines).flatMap { line in
                line.split(separator: "\"", omittingEmptySubsequences: false).map(String.init).filter(isMetric)
            })
    }()

    private static func isMetric(_ name: String) -> Bool {
        ["vllm:", "trinity_", "http_", "process_"].contains { name.hasPrefix($0) && name.count > $0.count }
            && name.allSatisfy { $0.isLowercase || $0 == "_" || $0 == ":" }
    }

    @Test func `the manual describes every metric and no other`() {
        let described = Set(
            MarkdownDocument.at("docs/metrics.md").rows.flatMap { MarkdownDocument.codes($0[0]) }.filter(Self.isMetric))
        #expect(Self.metrics.count > 60)
        #expect(Self.metrics.subtracting(described).sorted() == [], "missing from docs/metrics.md")
        #expect(described.subtracting(Self.metrics).sorted() == [], "only in docs/metrics.md")
    }

    @Test func `CONTRIBUTING describes every target of make`() {
        let targets = Repository.text("Makefile").split(separator: "\n").compactMap { line -> String? in
            guard line.contains("## "), let name = line.split(separator: ":").first,
                name.allSatisfy({ $0.isLowercase || $0 == "-" })
            else { return nil }
            return String(name)
        }
        #expect(targets.count > 10)
        let codes = MarkdownDocument.at("CONTRIBUTING.md").rows.flatMap { MarkdownDocument.codes($0[0]) }
        let described = Set(codes.filter { $0.hasPrefix("make ") }.map { String($0.dropFirst(5)) })
        #expect(Set(targets).subtracting(described).sorted() == [], "missing from CONTRIBUTING.md")
        #expect(described.subtracting(targets).sorted() == [], "no target of the Makefile")
    }

    @Test func `the manual describes every error code`() {
        let text = Repository.text("Sources/Server/OpenAI/APIError.swift")
        let property = text.split(separator: "var code: String?").last?.split(separator: "var retryAfter").first ?? ""
        let names = property.split(separator: "\"", omittingEmptySubsequences: false).enumerated()
            .filter { $0.offset % 2 == 1 }.map { String($0.element) }
        #expect(names.count > 20)
        let described = Set(
            MarkdownDocument.at("docs/api.md").rows.joined().flatMap { MarkdownDocument.codes($0) })
        #expect(Set(names).subtracting(described).sorted() == [], "missing from docs/api.md")
    }

    @Test func `the manual describes every endpoint`() {
        let text = Repository.text("openapi.yaml")
        let paths = text.split(separator: "\n").filter { $0.hasPrefix("  /") && $0.hasSuffix(":") }
            .map { String($0.dropFirst(2).dropLast()) }
        #expect(paths.count > 10)
        let codes = MarkdownDocument.at("docs/api.md").rows.flatMap { MarkdownDocument.codes($0[0]) }
        let described = Set(codes.map { String($0.drop { $0 != "/" }) })
        #expect(Set(paths).subtracting(described).sorted() == [], "missing from docs/api.md")
    }

    @Test func `messages of the troubleshooting page are those of the sources`() {
        // Joins lines that a string continues with a backslash.
        let sources = SourceFile.sources.map { file in
            file.lines.reduce(into: "") { text, line in
                if text.last == "\\" {
                    text.removeLast()
                    text += line.drop(while: \.isWhitespace)
                } else {
                    text += "\n" + line
                }
            }
        }.joined()
        var compared = 0
        for row in MarkdownDocument.at("docs/troubleshooting.md").rows {
            for message in MarkdownDocument.codes(row[0]) where message.split(separator: " ").count >= 3 {
                for part in Self.fixedParts(message) {
                    compared += 1
                    let isFound = sources.contains(part)
                    #expect(isFound, "no source says '\(part)'")
                }
            }
        }
        #expect(compared > 40)
    }

    @Test func `the variable parts of a message are ignored`() {
        let message = "This model's maximum context length is N tokens, cannot read 'FILE' of 12 bytes: ..."
        #expect(Self.fixedParts(message) == ["This model's maximum context length is", "tokens, cannot read"])
        #expect(Self.fixedParts("port 8000 on 127.0.0.1 is already in use") == ["is already in use"])
    }

    /// The constant parts of a message, between words in capitals, numbers, quoted text, paths and `...`.
    private static func fixedParts(_ message: String) -> [String] {
        var parts: [[Substring]] = [[]]
        for word in message.split(separator: " ") {
            let letters = word.filter { $0.isLetter || $0.isNumber }
            let isValue =
                letters.allSatisfy { $0.isUppercase || $0.isNumber } || word.hasPrefix("'") || word.contains("/")
                || word.dropLast().contains(".")
            if isValue { parts.append([]) } else { parts[parts.count - 1].append(word) }
        }
        return parts.map { $0.joined(separator: " ") }.filter { $0.count >= 16 }
    }
}
