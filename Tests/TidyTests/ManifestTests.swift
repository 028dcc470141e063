import Foundation
import Testing

/// The build accepts an import that a target does not depend on if another target has built the module. So this compares the
/// manifest with the imports.
@Suite struct ManifestTests {
    /// A target of the manifest.
    struct Target {
        var name: String
        var folder: String
        /// Everything in quotes in its declaration, its dependencies among it.
        var mentions: Set<String>

        /// - Parameter declaration: the text after `target(` or `Target(`, up to the next target.
        init?(_ declaration: String) {
            let strings = declaration.split(separator: "\"", omittingEmptySubsequences: false).enumerated()
                .filter { !$0.offset.isMultiple(of: 2) }.map { String($0.element) }
            guard declaration.drop(while: \.isWhitespace).hasPrefix("name:"), let name = strings.first else {
                return nil
            }
            self.name = name
            mentions = Set(strings)
            // The kernels of this CPU are in a separate list.
            if declaration.contains("vectorKernels") {
                mentions.formUnion(["AVX2Kernels", "AVX512Kernels", "NEONKernels", "NEONBF16Kernels"])
            }
            let path = declaration.components(separatedBy: "path: \"").dropFirst().first?.split(separator: "\"").first
            folder = path.map(String.init) ?? (name.hasSuffix("Tests") ? "Tests/" : "Sources/") + name
        }
    }

    static let targets = Repository.text("Package.swift").components(separatedBy: "arget(").dropFirst()
        .compactMap(Target.init)

    @Test func `a target imports only the dependencies in the manifest`() {
        let names = Set(Self.targets.map(\.name))
        for target in Self.targets {
            for file in SourceFile.sources + SourceFile.tests where file.isIn(target.folder) {
                for (index, line) in file.code.enumerated() {
                    guard let module = Code.importedModule(line).map(String.init), names.contains(module),
                        !target.mentions.contains(module)
                    else { continue }
                    file.report("\(target.name) imports \(module) and does not depend on it", at: index)
                }
            }
        }
    }

    /// `script/build-with-mpi` compiles only Engine again.
    @Test func `only the code of Engine depends on the trait MPI`() {
        let conditions = SourceFile.sources.flatMap { file in
            file.code.indices.filter { file.code[$0].contains("#") && Code.mentions("MPI", in: file.code[$0]) }
                .map { (file, $0) }
        }
        #expect(conditions.count >= 2)
        for (file, index) in conditions where !file.isIn("Sources/Engine") {
            file.report("depends on the trait MPI outside of Engine", at: index)
        }
    }

    @Test func `the manifest is read`() throws {
        let engine = try #require(Self.targets.first { $0.name == "Engine" })
        #expect(engine.mentions.isSuperset(of: ["Checkpoints", "AVX2Kernels"]) && !engine.mentions.contains("Server"))
        let portable = try #require(Self.targets.first { $0.name == "PortableKernels" })
        #expect(portable.folder == "Sources/Kernels/Portable" && portable.mentions.contains("PortableKernels"))
        #expect(Self.targets.count > 25)
    }
}
