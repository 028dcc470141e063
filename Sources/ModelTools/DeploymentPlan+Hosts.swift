import Checkpoints
import Engine

extension DeploymentPlan {
    /// The layers of one of several hosts, and the sizes of their weights and of their KV cache in bytes.
    struct HostPlan {
        var stage: Stage
        var weights: Int
        var cache: Int
        var total: Int { weights + cache }
    }

    /// The tokens of a batch on each host, for the rate of many streams.
    private static let batchTokens = 8

    /// Returns a table of the hosts among which the model is divided: their layers, and the memory of the weights and of the KV
    /// cache. If the bandwidth is given, the decode rates follow.
    ///
    /// - Parameters:
    ///   - hosts: the number of hosts, at least 1.
    ///   - memory: the memory of each host in bytes. Weights use at most seven eighths of it, as in the server.
    ///   - bandwidth: the memory read bandwidth of each host in bytes per second.
    /// - Throws: `ToolError.argument` if there are more hosts than layers, or if the weights do not fit.
    public func lines(hosts: Int, memory: Int? = nil, bandwidth: Double? = nil) throws(ToolError) -> [String] {
        let plans = try hostPlans(hosts: hosts, memory: memory)
        var lines = ["rank  layers   weights     KV cache    total"]
        lines += plans.map { plan in
            let layers = plan.stage.layers
            let columns = [
                ("\(plan.stage.rank)", 6), ("\(layers.lowerBound)-\(layers.upperBound - 1)", 9),
                (MemoryPlan.format(plan.weights), 12), (MemoryPlan.format(plan.cache), 12),
                (MemoryPlan.format(plan.total), 0),
            ]
            let isTooLarge = memory.map { plan.total > $0 } ?? false
            return columns.map { Self.pad($0.0, $0.1) }.joined() + (isTooLarge ? ", more than --memory" : "")
        }
        guard let bandwidth else { return lines }
        let (one, many) = decodeRates(plans.map(\.stage), bandwidth: bandwidth)
        return lines + [
            "", "decode, one stream      \(Self.format(one)) tokens/s",
            Self.pad("decode, \(hosts * Self.batchTokens) streams", 24) + "\(Self.format(many)) tokens/s",
            "By the weights that steps read; KV cache, computation and network are not counted.",
        ]
    }

    /// Returns the plan of each host, in order.
    func hostPlans(hosts: Int, memory: Int? = nil) throws(ToolError) -> [HostPlan] {
        guard (1...config.layers).contains(hosts) else {
            throw .argument("--hosts must be a number from 1 to \(config.layers), the layers of the model")
        }
        let planner = self.planner()
        let scale = self.scale(of: planner)
        let free = memory.map { Int(Double($0 - $0 / 8) / scale) } ?? .max
        let counts: [Int]
        do throws(StagePlanner.Failure) {
            counts = try planner.layerCounts(memory: [Int](repeating: free, count: hosts))
        } catch {
            throw .argument(error.description)
        }
        return Stage.stages(layerCounts: counts).map { stage in
            let cache = cacheBytes(of: stage)
            return HostPlan(
                stage: stage, weights: Int(Double(planner.bytes(of: stage)) * scale),
                cache: cache.global + cache.sliding)
        }
    }

    /// Returns the tokens per second of one stream, and of one batch of streams on each host.
    private func decodeRates(_ stages: [Stage], bandwidth: Double) -> (one: Double, many: Double) {
        func seconds(tokens: Int) -> [Double] {
            let planner = self.planner(tokens: tokens)
            let scale = self.scale(of: planner)
            return stages.map { planner.readBytes(of: $0) * scale / bandwidth }
        }
        let slowest = seconds(tokens: Self.batchTokens).max() ?? 0
        return (1 / seconds(tokens: 1).reduce(0, +), Double(Self.batchTokens) / slowest)
    }

    private func planner(tokens: Int = StagePlanner.typicalTokens) -> StagePlanner {
        StagePlanner(config, tokens: tokens, size: bytes(of:))
    }

    /// Returns the ratio of the weights' size to the planner's size, which does not include the scales of FP8.
    private func scale(of planner: StagePlanner) -> Double {
        let whole = planner.bytes(of: Stage(rank: 0, ranks: 1, layers: 0..<config.layers))
        return Double(totalWeightBytes) / Double(max(whole, 1))
    }

    private static func format(_ rate: Double) -> String {
        rate < 10 ? String(Double(Int(rate * 10)) / 10) : String(Int(rate))
    }
}
