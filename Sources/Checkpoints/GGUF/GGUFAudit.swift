/// Compares the tensors of a GGUF file with those that its metadata requires, and collects every difference.
struct GGUFAudit: WeightAudit {
    private let stored: [String: GGUFTensor]
    private let names: GGUFNames
    /// Names of the tensors that were checked.
    private var known: Set<String> = []
    private(set) var problems: [String] = []
    private(set) var bytes = 0
    private(set) var hasUnusedScales = false

    init(_ file: GGUFFile, config: ModelConfig) {
        self.init(file.tensors, config: config)
    }

    init(_ tensors: [String: GGUFTensor], config: ModelConfig) {
        stored = tensors
        names = GGUFNames(config)
    }

    mutating func check(_ expected: ExpectedTensor) -> StoredWeight? {
        let places = names.places(of: expected.name)
        for place in places {
            for suffix in place.suffixes {
                let name = place.name + suffix
                guard let tensor = stored[name] else { continue }
                let isSeen = !known.insert(name).inserted
                let shape = place.shape(of: expected.shape)
                guard tensor.shape == shape else {
                    // All experts in a tensor have the same problem.
                    if !isSeen { problems.append("wrong shape: \(name) is \(tensor.shape), expected \(shape)") }
                    return nil
                }
                return weight(tensor, name, place, expected)
            }
        }
        if let place = places.first {
            let name = place.name + (place.suffixes.first ?? "")
            if known.insert(name).inserted {
                problems.append("missing: \(name) (\(expected.name))")
            }
        }
        return nil
    }

    private mutating func weight(
        _ tensor: GGUFTensor, _ name: String, _ place: GGUFNames.Place, _ expected: ExpectedTensor
    ) -> StoredWeight? {
        let columns = expected.shape.last ?? 1
        let rows = expected.shape.dropLast().reduce(1, *)
        let rowBytes = columns / tensor.type.blockColumns * tensor.type.blockBytes
        let first = (place.expert?.index ?? 0) * (place.rows?.total ?? rows) + (place.rows?.part.lowerBound ?? 0)
        let range = first * rowBytes..<(first + rows) * rowBytes
        let source = MappedBytes(UnsafeRawBufferPointer(rebasing: tensor.bytes[range]), owner: tensor.owner)
        bytes += range.count
        if let type = tensor.type.tensorType {
            return .wide(
                StoredTensor(type: type, shape: expected.shape, bytes: source.bytes, owner: source.owner))
        }
        guard expected.role != .vector else {
            problems.append("wrong type: \(name) is \(tensor.type.name)")
            return nil
        }
        guard !expected.isRouter else {
            problems.append("not supported: \(name) is a router in \(tensor.type.name)")
            return nil
        }
        guard let factor = tensor.type == .nvfp4 ? scale(of: place) : 1,
            let matrix = GGUFMatrix(tensor.type, rows: rows, columns: columns, source, factor: factor)
        else { return nil }
        return .quantized(matrix)
    }

    /// Returns the scale of a whole NVFP4 matrix, 1 if there is none; `nil` if a problem was recorded.
    private mutating func scale(of place: GGUFNames.Place) -> Float? {
        let name = place.name + ".scale"
        guard let tensor = stored[name] else { return 1 }
        known.insert(name)
        let index = tensor.shape == [1] ? 0 : place.expert?.index ?? 0
        guard tensor.type == .float32, tensor.shape == [1] || tensor.shape == [place.expert?.count ?? 1] else {
            problems.append("wrong shape: \(name) is \(tensor.type.name) \(tensor.shape)")
            return nil
        }
        let scale = Float(bitPattern: tensor.bytes.loadUnaligned(fromByteOffset: 4 * index, as: UInt32.self))
        // The largest weight is the largest code times the largest scale of a group.
        guard (6 * Float8.largest * scale).isFinite else {
            problems.append("unusable scale: \(name) is \(scale)")
            return nil
        }
        return scale
    }

    mutating func checkUnexpected(tiesEmbeddings: Bool) {
        for (name, tensor) in stored.sorted(by: { $0.key < $1.key }) where !known.contains(name) {
            if name.hasSuffix(".input_scale") {
                hasUnusedScales = true
            } else {
                problems.append("unexpected: \(name) \(tensor.type.name) \(tensor.shape)")
            }
        }
    }
}
