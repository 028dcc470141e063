import Checkpoints
import Engine

extension DeploymentPlan {
    /// What each of several hosts needs, if the model is divided among them: its layers, and the memory of their weights and of their
    /// part of the KV cache.
    ///
    /// - Parameter hosts: at least 1.
    /// - Throws: `ToolError.argument` if there are more hosts than layers.
    public func lines(hosts: Int) throws(ToolError) -> [String] {
        guard (1...config.layers).contains(hosts) else {
            throw .argument("--hosts must be a number from 1 to \(config.layers), the layers of the model")
        }
        let planner = StagePlanner(config) { tensor in
            let elements = tensor.shape.reduce(1, *)
            return switch tensor.role {
            case .vector: 4 * elements
            case .linear: linearSize * elements
            case .lmHead, .sensitive: 2 * elements
            }
        }
        let counts: [Int]
        do throws(StagePlanner.Failure) {
            counts = try planner.layerCounts(memory: [Int](repeating: .max, count: hosts))
        } catch {
            throw .argument(error.description)
        }
        // As they are stored, or with scales, weights may take another size than their elements.
        let whole = planner.bytes(of: Stage(rank: 0, ranks: 1, layers: 0..<config.layers))
        let scale = Double(totalWeightBytes) / Double(max(whole, 1))
        return ["rank  layers   weights     KV cache    total"]
            + Stage.stages(layerCounts: counts).map { stage in
                let weights = Int(Double(planner.bytes(of: stage)) * scale)
                let cache = cacheBytes(of: stage)
                let columns = [
                    ("\(stage.rank)", 6), ("\(stage.layers.lowerBound)-\(stage.layers.upperBound - 1)", 9),
                    (MemoryPlan.format(weights), 12), (MemoryPlan.format(cache.global + cache.sliding), 12),
                    (MemoryPlan.format(weights + cache.global + cache.sliding), 0),
                ]
                return columns.map { Self.pad($0.0, $0.1) }.joined()
            }
    }
}
