import Testing

/// Relative links of the documents point to existing files and headings.
@Suite struct LinkTests {
    @Test(arguments: MarkdownDocument.all.map(\.path))
    func `a document's links have existing targets`(path: String) {
        let document = MarkdownDocument.at(path)
        for link in document.links {
            let target = Self.resolve(link.target, from: path)
            guard Repository.exists(target) else {
                SourceFile(path: path, text: "").report("no file \(target)", at: link.line)
                continue
            }
            guard let anchor = link.anchor else { continue }
            if !MarkdownDocument.at(target).anchors.contains(anchor) {
                SourceFile(path: path, text: "").report("no heading #\(anchor) in \(target)", at: link.line)
            }
        }
    }

    @Test func `every page of the manual is reachable from the readme`() {
        let readme = Set(MarkdownDocument.at("README.md").links.map(\.target))
        let pages = Repository.files(in: "docs").filter { path in
            path.hasSuffix(".md") && path.split(separator: "/").count == 2
        }
        #expect(!pages.isEmpty)
        for page in pages where page != "docs/benchmarks-log.md" {
            #expect(readme.contains(page), "README.md does not link to \(page)")
        }
    }

    @Test func `links, anchors and tables are read as a browser shows them`() {
        let document = MarkdownDocument(
            path: "docs/a.md",
            text: """
                # Title
                ## Start and stop
                ## `chat` and x/y
                ## Title
                [a](b.md) [c](../d.md#e-f) [g](#title) [h](https://i) `[j](k)`
                ```
                # no heading
                [l](m)
                ```
                | a | `b\\|c` |
                |---|---|
                """)
        #expect(document.anchors == ["title", "start-and-stop", "chat-and-xy", "title-1"])
        #expect(
            document.links == [
                .init(line: 4, target: "b.md"), .init(line: 4, target: "../d.md", anchor: "e-f"),
                .init(line: 4, target: "", anchor: "title"),
            ])
        #expect(document.rows == [["a", "`b\\|c`"]])
        #expect(Self.resolve("../d.md", from: "docs/a.md") == "d.md")
        #expect(Self.resolve("", from: "docs/a.md") == "docs/a.md")
    }

    /// The path of `target` from the root of the repository.
    private static func resolve(_ target: String, from path: String) -> String {
        if target.isEmpty { return path }
        var parts = path.split(separator: "/").dropLast()
        for part in target.split(separator: "/") {
            if part == ".." { parts = parts.dropLast() } else if part != "." { parts.append(part) }
        }
        return parts.joined(separator: "/")
    }
}
