import Foundation
import Testing

@testable import Hub

@Suite struct HubCacheTests {
    private static let commit = String(repeating: "ab", count: 20)

    /// A cache in a temporary folder, which is removed afterwards.
    private func withCache(_ body: (HubCache) throws -> Void) throws {
        let folder = FileManager.default.temporaryDirectory.appending(path: UUID().uuidString)
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        try body(HubCache(directory: folder.path))
    }

    private func digest(_ digit: Character) throws -> ContentDigest {
        try #require(ContentDigest(.sha256, hex: String(repeating: digit, count: 64)))
    }

    private func write(_ text: String, _ digest: ContentDigest, _ cache: HubCache) throws {
        try cache.makeFolders("a/b")
        try Data(text.utf8).write(to: URL(fileURLWithPath: cache.blob(digest, of: "a/b")))
    }

    @Test func `a repository has a folder, and the folder a repository`() {
        let cache = HubCache(directory: "/c")
        #expect(cache.folder("a-x/b_y.z") == "/c/models--a-x--b_y.z" && cache.locks("a/b") == "/c/.locks/models--a--b")
        #expect(cache.repository(ofFolder: "models--a-x--b_y.z") == "a-x/b_y.z")
        for name in ["datasets--a--b", "models--a", "models--a--b--c", "models--a--..", "models--a--b@c", ".locks"] {
            #expect(cache.repository(ofFolder: name) == nil, "\(name)")
        }
    }

    @Test func `a revision is the commit that was noted, or a commit itself`() throws {
        try withCache { cache in
            let (main, branch) = (try #require(HubReference("a/b")), try #require(HubReference("a/b@refs/pr/1")))
            #expect(cache.commit(of: main) == nil)
            try cache.setCommit(Self.commit, of: "main", "a/b")
            try cache.setCommit(Self.commit, of: "refs/pr/1", "a/b")
            #expect(cache.commit(of: main) == Self.commit && cache.commit(of: branch) == Self.commit)
            #expect(try cache.commit(of: #require(HubReference("a/b@\(Self.commit)"))) == Self.commit)
            #expect(try FileManager.default.contentsOfDirectory(atPath: cache.folder("a/b") + "/refs/refs/pr") == ["1"])
            try Data("../../x".utf8).write(to: URL(fileURLWithPath: cache.folder("a/b") + "/refs/main"))
            #expect(cache.commit(of: main) == nil)
        }
    }

    @Test func `links are relative, and replace what is there`() throws {
        try withCache { cache in
            let (first, second) = (try digest("1"), try digest("2"))
            try write("one", first, cache)
            try cache.link("x/y.gguf", to: first, commit: Self.commit, of: "a/b")
            let path = cache.snapshot(Self.commit, of: "a/b") + "/x/y.gguf"
            #expect(
                try FileManager.default.destinationOfSymbolicLink(atPath: path) == "../../../blobs/\(first.hex)")
            #expect(cache.files(Self.commit, of: "a/b") == ["x/y.gguf"])
            try cache.link("x/y.gguf", to: second, commit: Self.commit, of: "a/b")
            // Its content is missing.
            #expect(cache.files(Self.commit, of: "a/b").isEmpty)
            try write("two", second, cache)
            #expect(try String(contentsOfFile: path, encoding: .utf8) == "two")
        }
    }

    @Test func `a disk without symbolic links is refused before a download`() throws {
        try withCache { cache in
            var cache = cache
            try cache.makeFolders("a/b")
            try cache.checkLinks("a/b")
            #expect(try FileManager.default.contentsOfDirectory(atPath: cache.folder("a/b") + "/blobs").isEmpty)
            for (number, isKnown) in [(EPERM, true), (ENOTSUP, true), (ENOSYS, true), (EACCES, false)] {
                cache.symlink = { _, _ in
                    errno = number
                    return -1
                }
                let error = #expect(throws: HubError.self) { try cache.checkLinks("a/b") }
                #expect((error == .noLinks(path: cache.directory)) == isKnown)
            }
        }
    }

    @Test func `a model is complete with its weights and its tokenizer, offline without the latter`() throws {
        try withCache { cache in
            var settings = HubSettings(environment: ["HF_HUB_CACHE": cache.directory])
            let reference = try #require(HubReference("a/b"))
            let content = try digest("1")
            try write("{}", content, cache)
            try cache.setCommit(Self.commit, of: "main", "a/b")
            for name in ["config.json", "model.safetensors", "tokenizer.json"] {
                #expect(Hub(settings).cached(reference) == nil)
                try cache.link(name, to: content, commit: Self.commit, of: "a/b")
            }
            let folder = cache.snapshot(Self.commit, of: "a/b")
            #expect(Hub(settings).cached(reference) == folder)
            try FileManager.default.removeItem(atPath: folder + "/tokenizer.json")
            #expect(Hub(settings).cached(reference) == nil)
            settings.isOffline = true
            #expect(Hub(settings).cached(reference) == folder)
            #expect(try Hub(settings).locate(reference) == folder)
        }
    }

    @Test func `one process at a time has the lock of a file`() throws {
        try withCache { cache in
            let path = cache.directory + "/x.lock"
            var lock = try FileLock.attempt(path)
            #expect(try lock != nil && FileLock.attempt(path) == nil)
            lock = nil
            lock = try FileLock.attempt(path)
            #expect(lock != nil)
        }
    }
}
