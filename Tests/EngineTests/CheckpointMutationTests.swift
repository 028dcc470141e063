import Checkpoints
import Foundation
import JSON
import TestSupport
import Testing

@testable import Engine

/// Tiny checkpoints with damage in every part: each loads, or ends in one error of a known kind, and never in a crash.
@Suite struct CheckpointMutationTests {
    private static let blocks = QuantizationConfig(granularity: .block(rows: 128, columns: 128))

    /// A model with an FP8 matrix, an F16 one, an F32 bias and the rest in BF16.
    private static func tensors(of config: ModelConfig) -> [String: TemporaryModel.Tensor] {
        var tensors = TemporaryModel.tensors(of: config)
        tensors["model.layers.0.self_attn.q_proj.weight"] = .init(
            type: "F8_E4M3", shape: [4, 6], bytes: [UInt8](repeating: 0x38, count: 24))
        tensors["model.layers.0.self_attn.q_proj.weight_scale"] = .init(
            type: "F32", shape: [1, 1], bytes: [0, 0, 0x80, 0x3F])
        tensors["model.layers.0.self_attn.o_proj.weight"] = .init(
            type: "F16", shape: [6, 4], bytes: (0..<24).flatMap { _ in [0, 0x3C] as [UInt8] })
        tensors["model.layers.1.mlp.expert_bias"] = .init(
            type: "F32", shape: [2], bytes: [0, 0, 0x80, 0x3F, 0, 0, 0x80, 0x3F])
        return tensors
    }

    /// - Returns: the error's text; `nil` when the weights load.
    private func load(_ model: TemporaryModel, _ config: ModelConfig) throws -> String? {
        do throws(CheckpointError) {
            let checkpoint = try Checkpoint(directory: model.directory, config: config, quantization: Self.blocks)
            _ = try ModelWeights(checkpoint: checkpoint, config: config, pool: .shared, kernels: .best(.exact))
            return nil
        } catch {
            #expect(!error.description.isEmpty)
            return error.description
        }
    }

    @Test func `NaN, infinity and another type or shape are refused in every tensor by its name`() throws {
        let config = try TemporaryModel.config()
        let whole = Self.tensors(of: config)
        let model = try TemporaryModel()
        try model.write(whole)
        #expect(try load(model, config) == nil)
        let notFinite: [String: [[UInt8]]] = [
            "BF16": [[0xC0, 0x7F], [0x80, 0x7F], [0x80, 0xFF]], "F16": [[0, 0x7E], [0, 0x7C]],
            "F8_E4M3": [[0x7F], [0xFF]],
            "F32": [[0, 0, 0xC0, 0x7F], [0, 0, 0x80, 0x7F], [0, 0, 0x80, 0xFF]],
        ]
        for (name, tensor) in whole {
            for code in notFinite[tensor.type] ?? [] {
                var tensors = whole
                let last = tensor.bytes.count - code.count
                tensors[name]?.bytes.replaceSubrange(last..., with: code)
                try model.write(tensors)
                let error = try load(model, config)
                #expect(error?.contains(name) == true, "\(name) with \(code): \(error ?? "loads")")
            }
            for type in ["I32", "BOOL", "F64", "F8_E5M2", "F4", ""] {
                var tensors = whole
                tensors[name]?.type = type
                try model.write(tensors)
                #expect(try load(model, config)?.contains(name) == true, "\(name) as \(type)")
            }
            for shape in [[], [0], [-1], [.max, .max], tensor.shape + [1], tensor.shape.map { $0 + 1 }] as [[Int]] {
                var tensors = whole
                tensors[name]?.shape = shape
                // A tensor of one element may have no dimensions: the scale of a whole tensor.
                guard shape.reduce(1, { $0.multipliedReportingOverflow(by: $1).partialValue }) != 1 else { continue }
                try model.write(tensors)
                #expect(try load(model, config)?.contains(name) == true, "\(name) as \(shape)")
            }
        }
    }

    @Test func `offsets that are negative, overlap, end beyond the file or overflow are refused`() throws {
        let config = try TemporaryModel.config()
        let (model, whole) = (try TemporaryModel(), Self.tensors(of: config))
        try model.write(whole)
        let file = try [UInt8](Data(contentsOf: model.directory.appending(path: "model.safetensors")))
        let start = 8 + Int(file[0]) + Int(file[1]) << 8 + Int(file[2]) << 16
        let header = try #require(JSONValue(parsing: Array(file[8..<start])).object)
        let name = "model.norm.weight"
        let (end, size) = (file.count - start, 12)
        let offsets: [[JSONValue]] = [
            [-12, 0], [0, 12], [.integer(end), .integer(end + size)], [.integer(.max - size), .integer(.max)],
            [.integer(.min), .integer(.min + size)], [12, 0], [0], [], [0, 12, 24], ["0", "12"], [0.5, 12.5],
            [.bigInteger("18446744073709551604"), .bigInteger("18446744073709551616")], [nil, nil],
        ]
        for pair in offsets {
            var damaged = header
            var entry = try #require(header[name]?.object)
            entry["data_offsets"] = .array(pair)
            damaged[name] = .object(entry)
            try model.write(
                TemporaryModel.file(header: JSONValue.object(damaged).serialized, data: Array(file[start...])))
            #expect(try load(model, config)?.contains("model.") == true, "\(pair)")
        }
    }

    @Test func `a file cut anywhere, or with bytes changed at random, loads or is refused`() throws {
        let config = try TemporaryModel.config()
        let model = try TemporaryModel()
        try model.write(Self.tensors(of: config))
        let file = try [UInt8](Data(contentsOf: model.directory.appending(path: "model.safetensors")))
        let start = 8 + Int(file[0]) + Int(file[1]) << 8 + Int(file[2]) << 16
        for length in Array(0..<20) + stride(from: 20, to: file.count, by: 211) + [start - 1, start, file.count - 1] {
            try model.write(Array(file[..<length]))
            #expect(try load(model, config) != nil, "\(length) bytes of \(file.count)")
        }
        for length in [.max, .max - 7, 1 << 63, 1 << 40, UInt64(file.count - 7), UInt64(file.count - 8), 0, 1]
            as [UInt64]
        {
            try model.write(withUnsafeBytes(of: length.littleEndian, Array.init) + file[8...])
            #expect(try load(model, config) != nil, "a header of \(length) bytes")
        }
        let seed = UInt64.random(in: 0...UInt64(UInt32.max))
        var random = SplitMix(state: seed)
        for round in 0..<300 {
            var damaged = file
            for _ in 0...Int(random.next() % 3) {
                // Mostly in the header, where single bytes matter most.
                let place = Int(random.next() % UInt64(random.next() % 4 == 0 ? file.count : start))
                damaged[place] = UInt8(truncatingIfNeeded: random.next())
            }
            try model.write(damaged)
            let clock = ContinuousClock()
            let begin = clock.now
            _ = try load(model, config)
            #expect(clock.now - begin < .seconds(10), "round \(round) of seed \(seed)")
        }
    }

    private struct SplitMix {
        var state: UInt64

        mutating func next() -> UInt64 {
            state &+= 0x9E37_79B9_7F4A_7C15
            var z = state
            z = (z ^ z >> 30) &* 0xBF58_476D_1CE4_E5B9
            z = (z ^ z >> 27) &* 0x94D0_49BB_1331_11EB
            return z ^ z >> 31
        }
    }
}
