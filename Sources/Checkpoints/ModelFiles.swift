import Basics
import Foundation

/// The files of a model: a folder in Hugging Face format, or a GGUF file with its folder.
public struct ModelFiles {
    /// The folder with the model's other files, such as `tokenizer.json`.
    public let directory: URL
    /// The model's GGUF file; `nil` for a folder with safetensors.
    public let gguf: GGUFFile?

    /// - Parameter url: a folder with safetensors or with one GGUF model, or a GGUF file.
    /// - Throws: `CheckpointError`.
    public init(_ url: URL) throws(CheckpointError) {
        guard let file = try Self.file(at: url) else {
            (directory, gguf) = (url, nil)
            return
        }
        directory = file.deletingLastPathComponent()
        let opened = try GGUFFile(file)
        try Self.check(opened)
        gguf = opened
    }

    /// Returns the GGUF file that `url` refers to; `nil` for a folder with safetensors or without any weights.
    private static func file(at url: URL) throws(CheckpointError) -> URL? {
        var isFolder: ObjCBool = false
        guard FileManager.default.fileExists(atPath: url.path, isDirectory: &isFolder), isFolder.boolValue else {
            return url
        }
        for name in [StoredTensors.singleName, StoredTensors.indexName]
        where RegularFile.exists(url.appending(path: name).path) { return nil }
        let names = (try? FileManager.default.contentsOfDirectory(atPath: url.path)) ?? []
        let models = names.filter { $0.lowercased().hasSuffix(".gguf") && !GGUFFile.isLaterFile($0) }.sorted()
        guard models.count <= 1 else {
            throw .unreadable(
                file: url.path,
                reason: "several GGUF models in it; give one of the files: \(models.prefix(8).joined(separator: ", "))")
        }
        return models.first.map { url.appending(path: $0) }
    }

    private static func check(_ file: GGUFFile) throws(CheckpointError) {
        let kind = file.metadata["general.type"]?.text ?? "model"
        guard kind == "model" else {
            throw .unusable(
                file: file.url.path, tensor: nil,
                reason: "general.type \(kind.prefix(80)) is not supported (supported: model)")
        }
        let architecture = file.metadata["general.architecture"]?.text ?? "unnamed"
        guard architecture == "afmoe" else {
            throw .unusable(
                file: file.url.path, tensor: nil,
                reason: "architecture \(architecture.prefix(80)) is not supported (supported: afmoe)")
        }
    }

    /// The model's shape.
    ///
    /// - Throws: `ModelConfigError`.
    public func modelConfig() throws(ModelConfigError) -> ModelConfig {
        guard let gguf else { return try ModelConfig(directory: directory) }
        return try GGUFConfig(gguf).modelConfig()
    }

    /// The special token ids and the default sampling parameters.
    ///
    /// - Throws: `ModelConfigError`.
    public func generationConfig() throws(ModelConfigError) -> GenerationConfig {
        guard let gguf else { return try GenerationConfig(directory: directory) }
        return try GGUFConfig(gguf).generationConfig()
    }

    /// Checks that all special ids have a row in the embeddings.
    ///
    /// - Throws: `ModelConfigError.invalid`, which names the key of the file.
    public func checkIDs(_ generation: GenerationConfig, of config: ModelConfig) throws(ModelConfigError) {
        do throws(ModelConfigError) {
            try generation.checkIDs(of: config)
        } catch {
            throw error.renamingKeys(gguf == nil ? [:] : GGUFConfig.generationKeys)
        }
    }

    /// The tokenizer in the GGUF file; `nil` for a folder, and for a file without a tokenizer.
    ///
    /// - Throws: `CheckpointError.unusable` for an unsupported type of tokenizer.
    public func vocabulary() throws(CheckpointError) -> GGUFVocabulary? {
        guard let gguf else { return nil }
        return try GGUFVocabulary(gguf.metadata, path: gguf.url.path)
    }

    /// The chat template in the GGUF file, for any kind of tokenizer; `nil` for a folder, and for a file without a template.
    ///
    /// - Throws: `CheckpointError.unusable` if it is too large, or not UTF-8.
    public func chatTemplate() throws(CheckpointError) -> String? {
        guard let gguf else { return nil }
        return try GGUFVocabulary.chatTemplate(gguf.metadata, path: gguf.url.path)
    }

    /// The quantization of the weights; `nil` if they are not quantized, and for GGUF, where each tensor has its own type.
    ///
    /// - Throws: `ModelConfigError`.
    public func quantizationConfig() throws(ModelConfigError) -> QuantizationConfig? {
        gguf == nil ? try QuantizationConfig(directory: directory) : nil
    }

    /// The weights, mapped and checked.
    ///
    /// - Parameter quantizing: as in ``Checkpoint/init(directory:config:quantization:quantizing:)``.
    /// - Throws: `CheckpointError`, or `ModelConfigError` for an unsupported quantization.
    public func checkpoint(_ config: ModelConfig, quantizing: WeightQuantization? = nil) throws -> Checkpoint {
        if let gguf { return try Checkpoint(gguf, config: config, quantizing: quantizing) }
        return try Checkpoint(
            directory: directory, config: config, quantization: try quantizationConfig(),
            quantizing: quantizing)
    }
}
