import Foundation
import Testing

@testable import Hub

@Suite struct PartialBlobTests {
    /// The file with the text, and a path for it.
    private func withFile(_ text: String, _ body: (RepositoryFile, String) throws -> Void) throws {
        let folder = FileManager.default.temporaryDirectory.appending(path: UUID().uuidString)
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        let computation = DigestComputation(.sha256, size: text.utf8.count)
        Array(text.utf8).withUnsafeBytes { computation.add($0) }
        let digest = try #require(ContentDigest(.sha256, hex: computation.finish()))
        let file = RepositoryFile(path: "x", bytes: text.utf8.count, digest: digest)
        try body(file, folder.appending(path: "\(digest.hex).incomplete").path)
    }

    @Test func `hashes are those of sha256sum and git hash-object`() {
        func hash(_ kind: ContentDigest.Kind, _ text: String) -> String {
            let computation = DigestComputation(kind, size: text.utf8.count)
            Array(text.utf8).withUnsafeBytes { computation.add($0) }
            return computation.finish()
        }
        #expect(
            hash(.sha256, "hello\n") == "5891b5b522d5df086d0ff0b110fbd9d21bb4fc7163af34d08286a2e846f6be03")
        #expect(hash(.gitBlob, "hello\n") == "ce013625030ba8dba906f756967f9e9ca394464a")
        #expect(hash(.gitBlob, "") == "e69de29bb2d1d6434b8b29ae775ad8c2e48c5391")
    }

    @Test func `a file is continued, whatever the length of its beginning`() throws {
        try withFile("content") { file, path in
            for count in 0...7 {
                try Data("content".utf8.prefix(count)).write(to: URL(fileURLWithPath: path))
                let partial = try PartialBlob(path, file: file) { false }
                #expect(partial.offset == count && partial.isResumed == (count > 0))
                try partial.append(Array("content".utf8)[count...])
                #expect(partial.finish().isRight)
                try partial.publish(as: path + ".done")
                #expect(try String(contentsOfFile: path + ".done", encoding: .utf8) == "content")
                #expect(SystemCall.size(path) == nil)
            }
        }
    }

    @Test func `a beginning that is too long is discarded, and a wrong one has a wrong hash`() throws {
        try withFile("content") { file, path in
            try Data("contents".utf8).write(to: URL(fileURLWithPath: path))
            #expect(try PartialBlob(path, file: file) { false }.offset == 0)
            try Data("xon".utf8).write(to: URL(fileURLWithPath: path))
            let partial = try PartialBlob(path, file: file) { false }
            try partial.append(Array("tent".utf8)[...])
            #expect(!partial.finish().isRight)
            try partial.restart()
            #expect(partial.offset == 0 && !partial.isResumed && SystemCall.size(path) == 0)
            try partial.append(Array("content".utf8)[...])
            #expect(partial.finish().isRight)
        }
    }

    @Test func `what another process has published is not changed by a restart`() throws {
        try withFile("content") { file, path in
            let (mine, other) = (
                try PartialBlob(path, file: file) { false }, try PartialBlob(path, file: file) { false }
            )
            try mine.append(Array("cont".utf8)[...])
            try other.append(Array("content".utf8)[...])
            try other.publish(as: path + ".done")
            try mine.restart()
            #expect(try String(contentsOfFile: path + ".done", encoding: .utf8) == "content")
        }
    }
}
