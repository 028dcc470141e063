import Foundation
import Testing

/// The kernels' object files, which the linker combines with those of other modules.
struct KernelObjectTests {
    private static let nm = ["/usr/bin/nm", "/opt/swift/usr/bin/llvm-nm"].first(
        where: FileManager.default.isExecutableFile)

    /// The build folder of the running tests.
    private static let buildFolder = CommandLine.arguments.first { $0.hasSuffix(".xctest") }
        .map { URL(fileURLWithPath: $0).deletingLastPathComponent() }

    #if arch(arm64)
        private static let modules = ["NEONKernels", "NEONBF16Kernels"]
    #else
        private static let modules = ["AVX2Kernels", "AVX512Kernels"]
    #endif

    /// Specializations of the standard library's generic code are weak symbols, of which the linker keeps one. If it keeps one
    /// that was compiled for a newer CPU, the program crashes on an older one; so modules for newer CPUs must have none.
    @Test(
        .enabled(if: nm != nil, "needs nm"), .enabled(if: buildFolder != nil, "needs the folder of the objects"),
        arguments: modules)
    func `no code of another module is compiled for newer CPUs`(module: String) throws {
        let nm = try #require(Self.nm)
        let folder = try #require(Self.buildFolder).appending(path: "\(module).build")
        let files = try? FileManager.default.contentsOfDirectory(at: folder, includingPropertiesForKeys: nil)
        let objects = (files ?? []).filter { $0.pathExtension == "o" }
        #expect(!objects.isEmpty)
        for symbol in try weakFunctions(objects, nm: nm) where !symbol.contains(module) {
            Issue.record("\(module) has \(symbol)")
        }
    }

    private func weakFunctions(_ objects: [URL], nm: String) throws -> [Substring] {
        guard !objects.isEmpty else { return [] }
        let process = Process()
        process.executableURL = URL(fileURLWithPath: nm)
        process.arguments = objects.map(\.path)
        let output = Pipe()
        process.standardOutput = output
        try process.run()
        let text = String(decoding: output.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
        process.waitUntilExit()
        #expect(process.terminationStatus == 0)
        // "address W name"
        return text.split(separator: "\n").map { $0.split(separator: " ") }.filter { $0.dropLast().last == "W" }
            .compactMap(\.last)
    }
}
