import Checkpoints

/// A trained tensor: a matrix, or a vector as a matrix with one row.
public struct Parameter: Sendable, Equatable {
    /// The kind of a parameter, which determines its optimizer and learning rate.
    public enum Kind: String, Sendable, CaseIterable {
        case embedding = "embed"
        case head
        /// The gain of a norm.
        case gain = "norm"
        /// The gain of the norm after a branch.
        case branchGain = "post"
        case router
        /// A matrix of a hidden layer.
        case matrix
    }

    public var name: String
    public var shape: [Int]
    public var kind: Kind
    /// The offset of its first element in the memory of all parameters.
    public var offset: Int

    public var rows: Int { shape.count == 2 ? shape[0] : 1 }
    public var columns: Int { shape[shape.count - 1] }
    public var count: Int { rows * columns }
}

/// The trained tensors of a model, in contiguous memory in the order of the checkpoint. Weights, gradients and optimizer state
/// use the same layout.
public struct ParameterLayout: Sendable {
    public let parameters: [Parameter]
    /// The number of elements of the memory, including padding.
    public let count: Int
    private let indices: [String: Int]

    public init(_ config: ModelConfig) {
        var parameters: [Parameter] = []
        var offset = 0
        for tensor in config.expectedTensors where !tensor.name.hasSuffix(".expert_bias") {
            let parameter = Parameter(
                name: tensor.name, shape: tensor.shape, kind: Self.kind(of: tensor.name), offset: offset)
            parameters.append(parameter)
            offset += Self.room(for: parameter)
        }
        self.parameters = parameters
        count = offset
        indices = Dictionary(uniqueKeysWithValues: parameters.enumerated().map { ($0.element.name, $0.offset) })
    }

    /// Returns the number of elements that a parameter occupies. Each parameter begins at a multiple of 64 bytes.
    static func room(for parameter: Parameter) -> Int { (parameter.count + 15) / 16 * 16 }

    /// Returns the parameter with a name.
    ///
    /// - Precondition: the model has the tensor.
    func parameter(_ name: String) -> Parameter {
        guard let index = indices[name] else { preconditionFailure("the layout has every tensor of the model") }
        return parameters[index]
    }

    /// Returns the parameters that are not frozen, in their order.
    func trained(except frozen: Set<String>) -> [Parameter] { parameters.filter { !frozen.contains($0.name) } }

    /// Returns the first layer that needs a backward pass: the first one with a trained parameter, or 0 if the embeddings are
    /// trained. The result is the number of layers if only the final norm and the head are trained.
    static func firstTrainedLayer(_ config: ModelConfig, _ trained: [Parameter]) -> Int {
        trained.reduce(config.layers) { min($0, layer(of: $1.name) ?? ($1.kind == .embedding ? 0 : config.layers)) }
    }

    /// Returns the layer number in a tensor's name, or `nil` for tensors outside layers.
    static func layer(of name: String) -> Int? {
        let parts = name.split(separator: ".")
        return parts.count > 2 && parts[1] == "layers" ? Int(parts[2]) : nil
    }

    private static func kind(of name: String) -> Parameter.Kind {
        if name == "model.embed_tokens.weight" { return .embedding }
        if name == "lm_head.weight" { return .head }
        let isBranch = ["post_attention_layernorm", "post_mlp_layernorm"].contains { name.contains(".\($0).") }
        if isBranch { return .branchGain }
        if name.contains("norm") { return .gain }
        return name.hasSuffix(".router.gate.weight") ? .router : .matrix
    }
}
