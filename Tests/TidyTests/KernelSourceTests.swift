import Foundation
import TestSupport
import Testing

/// The sources that several kernel modules compile; `Sources/Kernels/README.md` explains why they are linked.
@Suite struct KernelSourceTests {
    /// The folders of modules that compile `Shared`.
    private static let families = ["AVX2", "AVX512", "NEON", "NEONBF16", "Portable"]
    /// The folders of modules for arm64, which also compile `NEONShared`.
    private static let armFamilies = ["NEON", "NEONBF16"]

    private static let folder = Fixtures.repository.appending(path: "Sources/Kernels")

    @Test(arguments: families)
    func `every kernel module compiles the shared sources`(family: String) {
        let link = Self.folder.appending(path: "\(family)/Shared").path
        let target = try? FileManager.default.destinationOfSymbolicLink(atPath: link)
        #expect(
            target == "../Shared",
            "\(link) must be a symbolic link to ../Shared; a checkout without core.symlinks makes it a text file")
    }

    @Test func `no other file of the kernels is a link, and no family is missing`() throws {
        let manager = FileManager.default
        let paths = try #require(manager.enumerator(atPath: Self.folder.path)).compactMap { $0 as? String }
        let links = paths.filter {
            (try? manager.destinationOfSymbolicLink(atPath: Self.folder.appending(path: $0).path)) != nil
        }
        let wanted = Self.families.map { "\($0)/Shared" } + Self.armFamilies.map { "\($0)/NEONShared" }
        #expect(links.sorted() == wanted.sorted())
        let manifest = Repository.text("Package.swift")
        for family in Self.families { #expect(manifest.contains("\"Sources/Kernels/\(family)\"")) }
        let arithmetic = Self.families.map { Self.armFamilies.contains($0) ? "NEONShared" : $0 }
        let files = paths.filter { $0.hasSuffix("/Arithmetic.swift") && !$0.contains("/Shared/") }
        #expect(Set(files) == Set(arithmetic.map { "\($0)/Arithmetic.swift" }))
    }

    @Test(arguments: families)
    func `a module's first file says where the rest of its sources are`(family: String) {
        #expect(Repository.text("Sources/Kernels/\(family)/\(family).swift").contains("Sources/Kernels/README.md"))
    }
}
