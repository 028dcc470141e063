import Testing

@testable import Hub

@Suite struct RepositoryListingTests {
    private static let commit = String(repeating: "0123456789", count: 4)
    private static let sha256 = String(repeating: "ab", count: 32)

    private func read(_ files: String, sha: String = commit, of model: String = "a/b") throws -> RepositoryListing {
        try RepositoryListing(
            Array("{\"sha\": \"\(sha)\", \"siblings\": [\(files)]}".utf8), of: #require(HubReference(model)))
    }

    private func file(_ path: String, size: String = "1", blob: String = commit) -> String {
        "{\"rfilename\": \"\(path)\", \"size\": \(size), \"blobId\": \"\(blob)\"}"
    }

    @Test func `large files have a SHA-256, the others Git's hash`() throws {
        let listing = try read(
            file("config.json", size: "12")
                + ", {\"rfilename\": \"sub/model.safetensors\", \"size\": 5000, \"blobId\": \"\(Self.commit)\", "
                + "\"lfs\": {\"sha256\": \"\(Self.sha256)\", \"size\": 5000, \"pointerSize\": 130}}")
        #expect(listing.commit == Self.commit)
        #expect(listing.files.map(\.path) == ["config.json", "sub/model.safetensors"])
        #expect(listing.files.map(\.bytes) == [12, 5000])
        #expect(listing.files.map(\.digest.kind) == [.gitBlob, .sha256])
        #expect(listing.files.map(\.digest.hex) == [Self.commit, Self.sha256])
    }

    @Test(arguments: [
        "../x", "..", "a/../x", "/etc/passwd", "a//b", "a/", ".", "./a", "a\\u0000b", "a\\nb", "a\\u009bb", "a\\\\b",
        "",
        String(repeating: "a", count: 256), String(repeating: "a/", count: 600) + "a",
    ])
    func `a path that could leave the folder is refused`(path: String) {
        #expect(throws: HubError.self) { try read(file(path)) }
    }

    @Test func `sizes and hashes are checked`() {
        for bad in [
            file("a", size: "-1"), file("a", size: "null"), file("a", size: "1e30"),
            file("a", size: "1000000000000000"),
            file("a", blob: "../../x"), file("a", blob: Self.sha256), file("a", blob: Self.commit.uppercased() + "A"),
            "{\"rfilename\": \"a\", \"size\": 1}", "{\"size\": 1}", "1",
            "{\"rfilename\": \"a\", \"size\": 1, \"blobId\": \"\(Self.commit)\", \"lfs\": {\"sha256\": \"x\"}}",
        ] {
            #expect(throws: HubError.self, "\(bad)") { try read(bad) }
        }
        for (bad, reason) in [
            (file("a", size: "1000000000000000"), "a has 1000000000000000 bytes, expected 0 to 281474976710656"),
            (file("../x"), "no path inside of the repository: '../x'"),
            (file("a\\u001b[2J"), "no path inside of the repository: 'a[2J'"),
        ] {
            let error = #expect(throws: HubError.self) { try read(bad) }
            #expect(error?.description.contains(reason) == true)
        }
    }

    @Test func `the commit is checked, also against the one that was asked for`() throws {
        #expect(throws: HubError.self) { try read("", sha: "../../x") }
        #expect(throws: HubError.self) { try read("", of: "a/b@" + Self.commit.reversed()) }
        #expect(try read("", of: "a/b@" + Self.commit).files.isEmpty)
    }

    @Test func `the number of files is bounded`() {
        let many = Array(repeating: file("a"), count: 20_001).joined(separator: ",")
        #expect(throws: HubError.self) { try read(many) }
    }

    @Test(arguments: ["", "[]", "{}", "<html>", #"{"sha": 1, "siblings": []}"#])
    func `an answer of another form is refused`(text: String) throws {
        let model = try #require(HubReference("a/b"))
        #expect(throws: HubError.self) { try RepositoryListing(Array(text.utf8), of: model) }
    }
}
