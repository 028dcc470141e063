import Testing

/// Dependencies between folders. The package manifest defines the dependencies between modules.
@Suite struct LayeringTests {
    /// `folder` must not use a type that is declared at the top level of one of `hidden`.
    struct Blindness: CustomTestStringConvertible {
        var folder: String
        var hidden: [String]
        var testDescription: String { folder }
    }

    static let blindnesses = [
        // Wire <- Connection <- Transport, and TLS, which handles only bytes, <- Transport.
        Blindness(
            folder: "Sources/HTTP/Wire",
            hidden: ["Sources/HTTP/Connection", "Sources/HTTP/Transport", "Sources/HTTP/HTTPService.swift"]),
        Blindness(folder: "Sources/HTTP/Connection", hidden: ["Sources/HTTP/Transport", "Sources/HTTP/TLS"]),
        Blindness(
            folder: "Sources/HTTP/TLS",
            hidden: ["Sources/HTTP/Wire", "Sources/HTTP/Connection", "Sources/HTTP/Transport"]),
        // Kernels <- Weights <- Model, and scheduling policy separate from numbers.
        Blindness(folder: "Sources/Engine/Weights", hidden: ["Sources/Engine/Model", "Sources/Engine/Sampling"]),
        Blindness(
            folder: "Sources/Engine/Compute",
            hidden: ["Sources/Engine/Weights", "Sources/Engine/Model", "Sources/Engine/Sampling"]),
        Blindness(
            folder: "Sources/Engine/Model",
            hidden: [
                "Sources/Engine/Sampling", "Sources/Engine/LLMEngine.swift", "Sources/Engine/EngineThread.swift",
                "Sources/Engine/LoadedModel.swift", "Sources/Engine/GenerationRequest.swift",
                "Sources/Engine/FinishReason.swift", "Sources/Engine/TokenEvent.swift",
                "Sources/Engine/EngineReport.swift", "Sources/Engine/EngineStatistics.swift",
                "Sources/Scheduling/Scheduler.swift",
                "Sources/Scheduling/KVCacheManager.swift", "Sources/Scheduling/BlockPool.swift",
            ]),
        // The formulas of training do not know how a run is described and stored, nor where its data comes from.
        Blindness(folder: "Sources/Training/Optimizers", hidden: ["Sources/Training/Data", "Sources/Training/Run"]),
        Blindness(folder: "Sources/Training/Data", hidden: ["Sources/Training/Model", "Sources/Training/Run"]),
        Blindness(folder: "Sources/Training/Model", hidden: ["Sources/Training/Run"]),
        Blindness(folder: "Sources/Engine/Sampling", hidden: ["Sources/Engine/Model", "Sources/Engine/Weights"]),
        // The API's types do not depend on how they are served, and a response does not depend on its formatter.
        Blindness(
            folder: "Sources/Server/OpenAI",
            hidden: ["Sources/Server/Handlers", "Sources/Server/Formatters", "Sources/Server/Application.swift"]),
        Blindness(folder: "Sources/Server/Handlers", hidden: ["Sources/Server/Formatters"]),
    ]

    @Test(arguments: blindnesses)
    func `a folder does not use the types of a layer above it`(rule: Blindness) {
        let hidden = SourceFile.sources.filter { file in rule.hidden.contains { file.isIn($0) } }
        let files = SourceFile.sources.filter { $0.isIn(rule.folder) }
        // A nested type may have the same name as a hidden one.
        let types = Set(hidden.flatMap(\.topLevelTypes)).subtracting(files.flatMap(\.types))
        for file in files {
            for (index, line) in file.code.enumerated() {
                for word in Set(Code.words(line)).intersection(types) {
                    file.report("\(rule.folder) must not know \(word)", at: index)
                }
            }
        }
    }

    /// `folder` must not import `modules`, except in `exceptions`.
    struct ImportBan: CustomTestStringConvertible {
        var folder: String
        var modules: Set<Substring>
        var exceptions: [String] = []
        var reason: String
        var testDescription: String { folder }
    }

    /// The modules of the server, but for the vector kernels.
    static func modules(but exceptions: Set<Substring>) -> Set<Substring> {
        Set([
            "Basics", "JSON", "Tokenizers", "ChatTemplates", "Grammars", "Checkpoints", "Scheduling", "PortableKernels",
            "Engine", "ModelTools", "Training", "HTTP", "Web", "Hub", "Server",
        ]).subtracting(exceptions)
    }

    static let importBans = [
        ImportBan(
            folder: "Sources/HTTP",
            modules: ["Dispatch", "Foundation", "FoundationEssentials", "Glibc", "Musl"],
            exceptions: ["Sources/HTTP/Transport"], reason: "system calls belong to Transport alone"),
        ImportBan(
            folder: "Sources/HTTP", modules: ["Synchronization"],
            exceptions: ["Sources/HTTP/Transport", "Sources/HTTP/TLS", "Sources/HTTP/MemoryBudget.swift"],
            reason: "threads belong to Transport, and to TLS, whose handshakes run beside the loop"),
        ImportBan(
            folder: "Sources/Server", modules: ["ModelTools", "Training", "PortableKernels", "CIntrinsics"],
            reason: "the server knows no tool and no kernel"),
        ImportBan(
            folder: "Sources/HTTP", modules: modules(but: ["HTTP"]),
            reason: "HTTP knows bytes and sockets only"),
        ImportBan(
            folder: "Sources/Engine",
            modules: modules(but: [
                "Engine", "Checkpoints", "Scheduling", "Tokenizers", "Grammars", "Basics", "PortableKernels",
            ]).union(["HTTPTypes"]),
            reason: "tokens in, tokens out"),
        ImportBan(
            folder: "Sources/Scheduling",
            modules: modules(but: ["Scheduling"]).union(["CIntrinsics", "Dispatch", "Foundation", "Glibc"]),
            reason: "scheduling is pure policy and never sees a tensor, a clock or a socket"),
        ImportBan(folder: "Sources/Basics", modules: modules(but: ["Basics"]), reason: "all may depend on it"),
        ImportBan(folder: "Sources/JSON", modules: modules(but: ["JSON", "Basics"]), reason: "JSON is below all text"),
        ImportBan(
            folder: "Sources/Tokenizers", modules: modules(but: ["Tokenizers", "JSON", "Basics"]),
            reason: "the text libraries are side by side on JSON"),
        ImportBan(
            folder: "Sources/ChatTemplates", modules: modules(but: ["ChatTemplates", "JSON", "Basics"]),
            reason: "the text libraries are side by side on JSON"),
        ImportBan(
            folder: "Sources/Grammars", modules: modules(but: ["Grammars", "JSON", "Basics"]),
            reason: "the text libraries are side by side on JSON"),
        ImportBan(
            folder: "Sources/Checkpoints", modules: modules(but: ["Checkpoints", "JSON", "Basics", "PortableKernels"]),
            reason: "files of models are read and written without the engine"),
        ImportBan(
            folder: "Sources/Hub", modules: modules(but: ["Hub", "Web", "JSON", "Basics"]).union(["HTTPTypes"]),
            reason: "it fetches files and knows no model"),
        ImportBan(
            folder: "Sources/Web", modules: modules(but: ["Web", "HTTP", "Basics"]).union(["HTTPTypes"]),
            reason: "it sends requests and knows no service"),
        ImportBan(
            folder: "Sources/ModelTools",
            modules: modules(but: [
                "ModelTools", "Engine", "Checkpoints", "Scheduling", "Tokenizers", "Web", "JSON", "Basics",
            ]),
            reason: "the tools are beside the server"),
        ImportBan(
            folder: "Sources/Training",
            modules: modules(but: [
                "Training", "Engine", "Checkpoints", "Tokenizers", "ChatTemplates", "JSON", "Basics",
            ]),
            reason: "the trainer is beside the server"),
        ImportBan(
            folder: "Sources/Kernels",
            modules: modules(but: ["PortableKernels"]).union(["Dispatch", "Foundation"]),
            reason: "kernels are arithmetic on raw buffers"),
        ImportBan(
            folder: "Sources/Engine/Weights", modules: ["Scheduling"], reason: "numbers do not know policy"),
        ImportBan(
            folder: "Sources/trinity",
            modules: modules(but: ["Server", "ModelTools", "Training", "Engine", "Hub", "Basics"]).union(["HTTPTypes"]),
            reason: "the executable reads arguments and hands them to Server, ModelTools, Training and Hub"),
    ]

    @Test(arguments: importBans)
    func `a folder does not import modules that its layer must not use`(rule: ImportBan) {
        for file in SourceFile.sources where file.isIn(rule.folder) && !rule.exceptions.contains(where: file.isIn) {
            for (index, line) in file.code.enumerated() {
                guard let module = Code.importedModule(line), rule.modules.contains(module) else { continue }
                file.report("\(rule.folder) must not import \(module): \(rule.reason)", at: index)
            }
        }
    }

    @Test func `the rules match existing folders and types`() {
        let folders = Self.blindnesses.map(\.folder) + Self.importBans.flatMap { [$0.folder] + $0.exceptions }
        for place in folders {
            #expect(SourceFile.sources.contains { $0.isIn(place) }, "\(place) is gone")
        }
        for place in Self.blindnesses.flatMap(\.hidden) {
            let types = SourceFile.sources.filter { $0.isIn(place) }.flatMap(\.topLevelTypes)
            #expect(!types.isEmpty, "\(place) declares no type to hide")
        }
    }
}

extension SourceFile {
    /// Names of the types declared at the top level.
    var topLevelTypes: [Substring] {
        code.compactMap { $0.first?.isLetter == true ? Self.declaredType($0) : nil }
    }

    /// Names of all types declared here.
    var types: [Substring] { code.compactMap(Self.declaredType) }

    /// The type that the line declares; private ones cannot be used elsewhere.
    private static func declaredType(_ line: String) -> Substring? {
        let kinds: Set<Substring> = ["struct", "class", "enum", "actor", "protocol", "typealias"]
        let modifiers: Set<Substring> = ["public", "package", "internal", "final", "indirect"]
        let words = Code.words(line).drop { modifiers.contains($0) }
        guard let kind = words.first, kinds.contains(kind) else { return nil }
        return words.dropFirst().first
    }
}
