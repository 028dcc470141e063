import Foundation

extension RoPEConfig {
    /// Reads `rope_parameters`, or `rope_theta` and `rope_scaling`, from `config.json`.
    init(_ config: ConfigReader, maxPositions: Int) throws(ModelConfigError) {
        // The new style has everything in one object; in the old style, theta is outside the object.
        var scaling = try config.object("rope_scaling")
        var theta = try Self.parseTheta(config)
        if let parameters = try config.object("rope_parameters") {
            scaling = parameters
            theta = try Self.parseTheta(parameters) ?? theta
        }
        self.init(theta: theta ?? 10_000)
        if let scaling { self.scaling = try Self.parseScaling(scaling, maxPositions: maxPositions) }
    }

    private static let keys: Set<String> = [
        "rope_theta", "rope_type", "type", "factor", "original_max_position_embeddings", "beta_fast", "beta_slow",
        "truncate", "attention_factor", "mscale", "mscale_all_dim", "finetuned",
    ]

    /// Checks the members that the initializer does not read.
    ///
    /// - Returns: the unknown names.
    /// - Throws: `ModelConfigError.unsupported` for angles that differ between layer types, or for rotation of only a part of the
    ///   head.
    static func checkKeys(_ config: ConfigReader) throws(ModelConfigError) -> [String] {
        var unknown: [String] = []
        for key in ["rope_scaling", "rope_parameters"] {
            guard let reader = try config.object(key) else { continue }
            for (name, _) in reader.members where !keys.contains(name) {
                guard let value = reader.value(name) else { continue }
                if value.object != nil { throw reader.unsupported(name, supported: "the same for all layers") }
                if name == "partial_rotary_factor" {
                    guard value.double == 1 else { throw reader.unsupported(name, supported: "1") }
                } else {
                    unknown.append("\(key).\(name)")
                }
            }
        }
        return unknown
    }

    private static func parseTheta(_ reader: ConfigReader) throws(ModelConfigError) -> Double? {
        try reader.optionalNumber("rope_theta", "a number above 1") { $0 > 1 }
    }

    private static func parseScaling(_ reader: ConfigReader, maxPositions: Int) throws(ModelConfigError) -> Scaling {
        let key = reader.value("rope_type") == nil ? "type" : "rope_type"
        switch try reader.string(key) {
        case nil, "default": return .none
        case "linear": return .linear(factor: try parseFactor(reader))
        case "yarn":
            let factor = try parseFactor(reader)
            let betaFast = try reader.number("beta_fast", default: 32, "a number above 0") { $0 > 0 }
            return .yarn(
                factor: factor,
                originalMaxPositions: try reader.integer(
                    "original_max_position_embeddings", default: maxPositions, in: 1...1 << 30),
                betaFast: betaFast,
                betaSlow: try reader.number(
                    "beta_slow", default: min(1, betaFast), "a number above 0 and up to beta_fast"
                ) { $0 > 0 && $0 <= betaFast },
                truncates: try reader.bool("truncate", default: true),
                attentionFactor: try parseAttentionFactor(reader, factor: factor))
        default: throw reader.unsupported(key, supported: "default, linear, yarn")
        }
    }

    private static func parseFactor(_ reader: ConfigReader) throws(ModelConfigError) -> Double {
        guard let factor = try reader.optionalNumber("factor", "a number of at least 1", where: { $0 >= 1 }) else {
            throw reader.invalid("factor", "a number of at least 1")
        }
        return factor
    }

    /// Returns the factor of cos and sin: the given one, or the ratio of the two `mscale` values, or 0.1 ln(factor) + 1.
    private static func parseAttentionFactor(
        _ reader: ConfigReader, factor: Double
    ) throws(ModelConfigError) -> Double {
        if let given = try reader.optionalNumber("attention_factor", "a number above 0", where: { $0 > 0 }) {
            return given
        }
        let scale = try reader.number("mscale", default: 0, "a number of at least 0") { $0 >= 0 }
        let allDimensions = try reader.number("mscale_all_dim", default: 0, "a number of at least 0") { $0 >= 0 }
        func magnitude(_ scale: Double) -> Double { 0.1 * scale * log(factor) + 1 }
        // As in Transformers, zero counts as absent.
        return scale != 0 && allDimensions != 0 ? magnitude(scale) / magnitude(allDimensions) : magnitude(1)
    }
}
