import JSON

/// The files of a repository that belong to a model.
struct FileSelection: Sendable, Hashable {
    /// The paths relative to the repository's root.
    let files: [String]
    /// The file to load, relative to the root; `nil` for the folder itself.
    let entry: String?

    static let singleName = "model.safetensors"
    static let indexName = "model.safetensors.index.json"
    /// The maximum size of an index in bytes, as for any checkpoint.
    static let largestIndex = 32 << 20
    private static let mostShards = 4096

    /// The files beside the weights; all but config.json are optional.
    private static let companions: Set = [
        "config.json", "generation_config.json", "hf_quant_config.json", "chat_template.jinja",
        "special_tokens_map.json",
    ]

    /// Selects from the files with these names.
    ///
    /// - Parameters:
    ///   - reference: the model.
    ///   - names: the paths of all files in the repository.
    ///   - index: reads ``indexName``; called only if the weights are in several files.
    /// - Throws: `HubError.choice` if there are no suitable weights, or more than one set of them; the errors of `index`.
    init(
        of reference: HubReference, among names: [String], index: () throws(HubError) -> [UInt8]
    ) throws(HubError) {
        if let quantization = reference.quantization {
            files = try Self.parts(quantization, of: reference.repository, among: names)
            entry = files.first
            return
        }
        entry = nil
        let all = Set(names)
        func refused(_ reason: String) -> HubError { .choice(reference.repository, reason: reason) }
        let weights: [String]
        if all.contains(Self.singleName) {
            weights = [Self.singleName]
        } else if all.contains(Self.indexName) {
            weights = try Self.shards(in: index(), of: reference.repository) + [Self.indexName]
        } else {
            let models = GGUFSet.all(in: names)
            throw refused(
                models.isEmpty
                    ? "has no weights in safetensors (\(Self.singleName) or \(Self.indexName))"
                    : "has only GGUF files; add the quantization, such as :Q4_K_M. It has \(GGUFSet.list(models))")
        }
        if let missing = weights.first(where: { !all.contains($0) }) {
            throw refused("lacks \(missing), which \(Self.indexName) names")
        }
        guard all.contains("config.json") else { throw refused("has no config.json") }
        let isTokenizer = { (name: String) in
            name.hasPrefix("tokenizer") && name.hasSuffix(".json") && !name.utf8.contains(UInt8(ascii: "/"))
        }
        files = names.filter { Self.companions.contains($0) || isTokenizer($0) } + weights
    }

    private static func shards(in index: [UInt8], of repository: String) throws(HubError) -> [String] {
        guard let json = try? JSONValue(parsing: index), let map = json["weight_map"]?.object else {
            throw .choice(repository, reason: "has a \(indexName) without a weight_map")
        }
        var shards: Set<String> = []
        for (_, file) in map {
            guard let name = file.string, RepositoryFile.isSafe(name), !name.utf8.contains(UInt8(ascii: "/")) else {
                throw .choice(repository, reason: "has a \(indexName) with a name that is not a plain file name")
            }
            shards.insert(name)
            guard shards.count <= mostShards else {
                throw .choice(repository, reason: "names more than \(mostShards) files in its \(indexName)")
            }
        }
        return shards.sorted()
    }

    /// Returns the files of the only GGUF model with a quantization, even if some of its files are missing; empty if there is no
    /// such model.
    ///
    /// - Throws: `HubError.choice` if there are several models.
    static func removable(
        _ quantization: String, of repository: String, among names: [String]
    ) throws(HubError) -> [String] {
        try match(quantization, of: repository, among: GGUFSet.all(in: names))?.files ?? []
    }

    private static func parts(
        _ quantization: String, of repository: String, among names: [String]
    ) throws(HubError) -> [String] {
        let models = GGUFSet.all(in: names)
        guard let set = try match(quantization, of: repository, among: models) else {
            let others = models.isEmpty ? "no GGUF file at all" : GGUFSet.list(models)
            throw .choice(repository, reason: "has no GGUF file for \(quantization). It has \(others)")
        }
        guard set.isComplete else { throw .choice(repository, reason: "lacks parts of the GGUF file \(set.path)") }
        return set.files
    }

    /// Returns the only model with a quantization; `nil` if there is none.
    private static func match(
        _ quantization: String, of repository: String, among models: [GGUFSet]
    ) throws(HubError) -> GGUFSet? {
        let found = models.filter { $0.has(quantization) }
        guard found.count <= 1 else {
            throw .choice(
                repository,
                reason: "has several GGUF files for \(quantization): \(GGUFSet.list(found)). Give more of the name")
        }
        return found.first
    }
}
