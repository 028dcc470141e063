import Engine
import Foundation
import JSON

/// The results of `trinity bench`.
public struct BenchmarkReport: Sendable {
    struct Prefill: Sendable {
        var tokens: Int
        var tokensPerSecond: Double
        var operationsPerSecond: Double
    }

    struct Decode: Sendable {
        var sequences: Int
        var context: Int
        /// The total rate of all sequences.
        var tokensPerSecond: Double
        /// The rate of the bytes that the engine counted.
        var bytesPerSecond: Double
        /// The number of bytes that were read, divided by the number computed from the model's shape.
        var predictedShare: Double
    }

    var cpu = ""
    var threads = 0
    var kernels = ""
    /// GB/s
    var readBandwidth = 0.0
    /// The read bandwidth of each NUMA node, measured by its own threads; empty if weights are not divided among nodes.
    var nodes: [RooflineProbe.NodeBandwidth] = []
    /// GFLOP/s
    var operationRate = 0.0
    /// GFLOP/s of matrix products with quantized weights; `nil` if the model has none.
    var integerRate: Double?
    var parameters = 0
    var activeBytesPerToken = 0
    var loadSeconds = 0.0
    var residentBytes = 0
    var prefill: [Prefill] = []
    var decode: [Decode] = []
    /// The values that were not measured, with the reasons.
    public internal(set) var notes: [String] = []

    /// The report as one JSON object.
    public var json: String { String(decoding: object.serialized, as: UTF8.self) }

    var object: JSONValue {
        [
            "machine": ["cpu": .string(cpu), "threads": .integer(threads), "kernels": .string(kernels)],
            "ceiling": [
                "read_gb_s": Self.number(readBandwidth), "bf16_gflop_s": Self.number(operationRate),
                "int_gflop_s": integerRate.map(Self.number) ?? .null,
                "nodes": .array(
                    nodes.map { ["node": .integer($0.node), "read_gb_s": Self.number($0.read)] }),
            ],
            "model": [
                "parameters": .integer(parameters), "active_bytes_per_token": .integer(activeBytesPerToken),
            ],
            "load_seconds": Self.number(loadSeconds),
            "resident_bytes": .integer(residentBytes),
            "prefill": .array(
                prefill.map { row in
                    [
                        "tokens": .integer(row.tokens), "tok_s": Self.number(row.tokensPerSecond),
                        "gflop_s": Self.number(row.operationsPerSecond / 1e9),
                    ]
                }),
            "decode": .array(
                decode.map { row in
                    [
                        "sequences": .integer(row.sequences), "context": .integer(row.context),
                        "tok_s": Self.number(row.tokensPerSecond), "gb_s": Self.number(row.bytesPerSecond / 1e9),
                    ]
                }),
        ]
    }

    /// The report as a table, with percentages of the machine's limits.
    public var lines: [String] {
        var lines = [
            "machine   \(cpu), \(threads) threads, kernels \(kernels)",
            String(format: "ceiling   read %.1f GB/s, arithmetic %.0f GFLOP/s", readBandwidth, operationRate)
                + (integerRate.map { String(format: ", with quantized weights %.0f GFLOP/s", $0) } ?? ""),
            "model     \(parameters) parameters, \(MemoryPlan.format(activeBytesPerToken)) read a token",
            String(format: "loaded    in %.2f s, ", loadSeconds) + "\(MemoryPlan.format(residentBytes)) resident",
            "", "prefill   tokens     tok/s   GFLOP/s  of ceiling",
        ]
        if !nodes.isEmpty {
            let rates = nodes.map { String(format: "%.1f GB/s of node %d", $0.read, $0.node) }
            lines.insert("nodes     read \(rates.joined(separator: ", "))", at: 2)
        }
        lines += prefill.map { row in
            let rate = row.operationsPerSecond / 1e9
            return String(
                format: "          %6d  %8.1f  %8.1f  %8.0f %%", row.tokens, row.tokensPerSecond, rate,
                100 * rate / (integerRate ?? operationRate))
        }
        lines += ["", "decode    sequences  context     tok/s   GB/s  of ceiling  bytes of the plan's"]
        lines += decode.map { row in
            let rate = row.bytesPerSecond / 1e9
            return String(
                format: "          %9d  %7d  %8.1f  %5.1f  %8.0f %%  %17.1f %%", row.sequences, row.context,
                row.tokensPerSecond,
                rate, 100 * rate / readBandwidth, 100 * row.predictedShare)
        }
        return lines + notes.map { "note: \($0)" }
    }

    /// Rounds to three decimal places.
    private static func number(_ value: Double) -> JSONValue { .double((value * 1000).rounded() / 1000) }
}
