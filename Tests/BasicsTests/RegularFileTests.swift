import Foundation
import Testing

@testable import Basics

/// Files in a temporary folder of the test.
@Suite final class RegularFileTests {
    private let directory: String

    init() throws {
        directory = FileManager.default.temporaryDirectory.appending(path: "regular-\(UUID().uuidString)").path
        try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
    }

    deinit {
        try? FileManager.default.removeItem(atPath: directory)
    }

    private func path(_ name: String) -> String { "\(directory)/\(name)" }

    @Test func `a file up to the limit is read whole, and a link to it too`() throws {
        let content = (0..<100_000).map { UInt8(truncatingIfNeeded: $0) }
        try Data(content).write(to: URL(fileURLWithPath: path("a")))
        try FileManager.default.createSymbolicLink(atPath: path("b"), withDestinationPath: "a")
        for name in ["a", "b"] {
            #expect(try RegularFile.read(path(name), atMost: content.count) == content)
            #expect(try RegularFile.readIfPresent(path(name), atMost: content.count) == content)
            #expect(throws: RegularFile.Failure.tooLarge(bytes: 100_000, limit: 99_999)) {
                try RegularFile.read(self.path(name), atMost: 99_999)
            }
        }
        try Data().write(to: URL(fileURLWithPath: path("empty")))
        #expect(try RegularFile.read(path("empty"), atMost: 0).isEmpty)
    }

    /// Files of /proc report a size of 0.
    @Test func `a file that does not report its size is read to its end`() throws {
        #expect(try RegularFile.read("/proc/self/status", atMost: 1 << 20).count > 500)
        #expect(throws: RegularFile.Failure.self) { try RegularFile.read("/proc/self/status", atMost: 100) }
    }

    @Test(.timeLimit(.minutes(10))) func `anything but a regular file is refused at once, with its kind`() throws {
        #expect(mkfifo(path("fifo"), 0o600) == 0)
        try FileManager.default.createSymbolicLink(atPath: path("link"), withDestinationPath: "fifo")
        let descriptor = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0)
        defer { close(descriptor) }
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        let name = Array(path("socket").utf8)
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: name.prefix(107)) }
        let bound = withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(descriptor, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
            }
        }
        #expect(bound == 0)
        let kinds = [
            (path("fifo"), "a FIFO"), (path("link"), "a FIFO"), (directory, "a directory"), ("/dev/zero", "a device"),
            (path("socket"), "a socket"),
        ]
        for (path, kind) in kinds {
            let error = #expect(throws: RegularFile.Failure.self) {
                try RegularFile.readIfPresent(path, atMost: 1 << 20)
            }
            #expect(error == .kind(kind))
            #expect(error?.description == "not a regular file but \(kind)")
        }
    }

    @Test func `an absent file is nil, a link without its target is an error`() throws {
        #expect(try RegularFile.readIfPresent(path("nothing"), atMost: 10) == nil)
        #expect(throws: RegularFile.Failure.system(ENOENT)) { try RegularFile.read(self.path("nothing"), atMost: 10) }
        try FileManager.default.createSymbolicLink(atPath: path("dangling"), withDestinationPath: "nothing")
        #expect(throws: RegularFile.Failure.danglingLink) {
            try RegularFile.readIfPresent(self.path("dangling"), atMost: 10)
        }
    }
}
