import Foundation
import JSON
import KernelInterface
import TestSupport
import Testing

@testable import Checkpoints
@testable import Engine
@testable import ModelTools

/// Checkpoints that the tools write, read back by the engine.
@Suite struct CheckpointToolTests {
    private let temporary: TemporaryModel

    init() throws {
        temporary = try TemporaryModel()
    }

    private var folder: URL { temporary.directory.appending(path: "out") }

    @Test func `equal seeds give equal bytes, different seeds different ones`() throws {
        for (format, file) in [
            (.fp8Block, "model.safetensors"), (.nvfp4, "model.safetensors"), (.q4KM, "model-Q4_K_M.gguf"),
        ] as [(CheckpointSynthesizer.Format, String)] {
            func bytes(_ seed: UInt64, _ name: String) throws -> Data {
                let directory = temporary.directory.appending(path: name + format.rawValue)
                try CheckpointSynthesizer(shape: ModelShape("tiny"), format: format, seed: seed).write(to: directory)
                return try Data(contentsOf: directory.appending(path: file))
            }
            let first = try bytes(1, "a")
            #expect(try bytes(1, "b") == first)
            #expect(try bytes(2, "c") != first)
        }
    }

    @Test(arguments: [CheckpointSynthesizer.Format.int4, .nvfp4, .q40, .q4KM])
    func `matrices of random codes have the standard deviation of normal ones`(
        format: CheckpointSynthesizer.Format
    ) throws {
        let shape = try ModelShape("tiny")
        try CheckpointSynthesizer(shape: shape, format: format, seed: 1, quantizesLMHead: true).write(to: folder)
        let checkpoint = try ModelFiles(folder).checkpoint(shape.config)
        for name in ["self_attn.q_proj", "self_attn.v_proj", "mlp.experts.3.down_proj"] {
            try checkDeviation(of: checkpoint.linear("model.layers.5.\(name)"), name)
        }
        #expect(checkpoint.linear("lm_head").quantizedValues != nil)
        #expect(checkpoint.hasQuantizedMatrices)
    }

    private func checkDeviation(of weight: LinearWeight, _ name: String) throws {
        let values = try #require(weight.quantizedValues).map { Double(Float(bitPattern: $0)) }
        let mean = values.reduce(0, +) / Double(values.count)
        let squares = values.reduce(0) { $0 + $1 * $1 } / Double(values.count)
        #expect(abs(squares.squareRoot() - 0.02) < 0.001, "\(name)")
        // A mean of half a step of Q4_0, 0.0022, would be a common direction of all tokens.
        #expect(abs(mean) < 0.0014, "\(name)")
    }

    /// With eight experts the mix has a type of its own for the output of attention, in blocks of 32 if 256 do not fit.
    @Test func `matrices in Q5_1 have the same deviation`() throws {
        var json = try ModelShape("tiny").json
        json["head_dim"] = 48
        let shape = try ModelShape(json: json)
        try CheckpointSynthesizer(shape: shape, format: .q4KM, seed: 1).write(to: folder)
        let files = try ModelFiles(folder)
        #expect(files.gguf?.tensors["blk.5.attn_output.weight"]?.type == .q51)
        try checkDeviation(of: files.checkpoint(shape.config).linear("model.layers.5.self_attn.o_proj"), "o_proj")
    }

    /// As `llama-quantize` of llama.cpp 0c1e570 shows the types of a model with these sizes.
    @Test func `the types of a GGUF file are those that llama-quantize chooses`() throws {
        var small = try ModelShape("small").config
        #expect(small.layers == 8)
        func types(_ mix: GGUFMix, _ config: ModelConfig) throws -> [String: GGUFType] {
            let entries = try SyntheticGGUF(config, mix).entries
            return Dictionary(uniqueKeysWithValues: entries.map { ($0.name, $0.type) })
        }
        let mixed = try types(.q4KM, small)
        for layer in 0..<8 {
            // One eighth at each end, and every third layer between them.
            let hasMoreBits = [0, 3, 6, 7].contains(layer)
            #expect(mixed["blk.\(layer).attn_v.weight"] == (hasMoreBits ? .q6K : .q4K))
            let down = layer < 2 ? "ffn_down" : "ffn_down_exps"
            #expect(mixed["blk.\(layer).\(down).weight"] == (hasMoreBits ? .q6K : .q4K))
            #expect(mixed["blk.\(layer).attn_k.weight"] == .q4K)
            #expect(mixed["blk.\(layer).attn_norm.weight"] == .float32)
        }
        #expect(mixed["blk.7.ffn_gate_inp.weight"] == .float32 && mixed["blk.7.exp_probs_b.bias"] == .float32)
        #expect(mixed["blk.7.ffn_up_exps.weight"] == .q4K && mixed["blk.7.ffn_down_shexp.weight"] == .q6K)
        #expect(mixed["output.weight"] == .q6K && mixed["token_embd.weight"] == .q4K)
        let plain = try types(.q40, small)
        #expect(plain["output.weight"] == .q6K && plain["token_embd.weight"] == .q40)
        #expect(plain["blk.7.ffn_down_exps.weight"] == .q40 && plain["blk.7.attn_v.weight"] == .q40)
        // 160 columns are no whole blocks of 256, and 40 none of 32.
        small.expertIntermediateSize = 160
        #expect(try types(.q4KM, small)["blk.7.ffn_down_exps.weight"] == .q80)
        #expect(try types(.q4KM, small)["blk.5.ffn_down_exps.weight"] == .q50)
        small.expertIntermediateSize = 40
        #expect(try types(.q40, small)["blk.5.ffn_down_exps.weight"] == .bfloat16)
        small.layerTypes[3] = .sliding
        #expect(throws: ToolError.self) { try types(.q40, small) }
    }

    @Test func `large checkpoints are split into shards that can be read`() throws {
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        let entries = (0..<5).map { CheckpointWriter.Entry(name: "t\($0)", type: .uint8, shape: [10]) }
        var writer = try CheckpointWriter(directory: folder, entries: entries, shardBytes: 25)
        for value in 0..<UInt8(5) {
            let data = Buffer([UInt8](repeating: value, count: 10))
            try writer.append(UnsafeRawBufferPointer(data.contents))
        }
        try writer.finish()
        let stored = try StoredTensors(directory: folder)
        #expect(stored.misplaced.isEmpty)
        #expect(try FileManager.default.contentsOfDirectory(atPath: folder.path).count == 4)
        for value in 0..<UInt8(5) { #expect(stored.tensors["t\(value)"]?.bytes.allSatisfy { $0 == value } == true) }
    }

    @Test(arguments: [false, true])
    func `a quantized checkpoint equals the result of quantizing while loading, bit for bit`(quantizesLMHead: Bool)
        throws
    {
        let source = Fixtures.root.appending(path: "model/e_bf16")
        try CheckpointQuantizer(source: source, destination: folder, quantizesLMHead: quantizesLMHead).write()
        let config = try ModelConfig(directory: folder)
        #expect(try config == ModelConfig(directory: source))
        let quantization = try QuantizationConfig(directory: folder)
        #expect(quantization?.granularities == [.block(rows: 128, columns: 128)])
        let written = try Checkpoint(directory: folder, config: config, quantization: quantization)
        let loaded = try Checkpoint(directory: source, config: config, quantization: nil, quantizing: .float8)
        let pool = WorkerPool(threads: 2, spinning: .zero)
        for tensor in config.expectedTensors {
            if tensor.role == .vector {
                #expect(written.vector(tensor.name) == loaded.vector(tensor.name))
                continue
            }
            let module = String(tensor.name.dropLast(".weight".count))
            if tensor.role == .lmHead && !quantizesLMHead {
                #expect(written.stored(tensor.name).bytes.elementsEqual(loaded.stored(tensor.name).bytes))
                continue
            }
            let (a, b) = (written.linear(module), loaded.linear(module, pool: pool))
            #expect(a.bytes.elementsEqual(b.bytes), "\(module)")
            #expect(a.scales == b.scales, "\(module)")
        }
        #expect(FileManager.default.fileExists(atPath: folder.appending(path: "generation_config.json").path))
        let again = temporary.directory.appending(path: "again")
        #expect(throws: ToolError.self) { try CheckpointQuantizer(source: folder, destination: again).write() }
    }

    @Test(
        arguments: [
            ("e_bf16", .int4, 32, true), ("e_bf16", .nvfp4, 32, false), ("e_bf16", .int8, 32, false),
            ("f3_fp8_ct_block", .int4, 128, false), ("f3_fp8_ct_block", .nvfp4, 32, true),
        ] as [(String, CheckpointQuantizer.Format, Int, Bool)])
    func `a checkpoint quantized in groups equals the result of quantizing while loading`(
        name: String, format: CheckpointQuantizer.Format, groupColumns: Int, quantizesLMHead: Bool
    ) throws {
        let source = Fixtures.root.appending(path: "model/\(name)")
        let quantizer = CheckpointQuantizer(
            source: source, destination: folder, format: format, groupColumns: groupColumns,
            quantizesLMHead: quantizesLMHead)
        let wide = try quantizer.write()
        // Only the experts of the first model have columns that are not whole groups.
        #expect(wide.isEmpty == (name != "e_bf16"))
        let config = try ModelConfig(directory: folder)
        let written = try ModelFiles(folder).checkpoint(config)
        let loaded = try ModelFiles(source).checkpoint(config, quantizing: quantizer.quantization)
        for tensor in config.expectedTensors where tensor.role == .linear || tensor.role == .lmHead {
            let module = String(tensor.name.dropLast(".weight".count))
            guard let values = written.linear(module).quantizedValues else {
                #expect(tensor.role == .lmHead ? !quantizesLMHead : wide.contains(tensor.name), "\(module)")
                continue
            }
            #expect(values == loaded.linear(module).quantizedValues, "\(module)")
        }
        let again = temporary.directory.appending(path: "again")
        #expect(throws: (any Error).self) {
            try CheckpointQuantizer(source: folder, destination: again, format: .int4).write()
        }
    }

    @Test(arguments: [false, true]) func `the LM head has the format in config.json`(quantizesLMHead: Bool)
        throws
    {
        let shape = try ModelShape("tiny")
        try CheckpointSynthesizer(shape: shape, format: .fp8Block, seed: 1, quantizesLMHead: quantizesLMHead)
            .write(to: folder)
        let json = try JSONValue(parsing: Array(Data(contentsOf: folder.appending(path: "config.json"))))
        let ignored = try #require(json["quantization_config"]?["ignore"]?.array)
        #expect(ignored.contains("lm_head") == !quantizesLMHead)
        let quantization = try QuantizationConfig(directory: folder)
        func hasScales(_ module: String, quantizesAtLoad: Bool) throws -> Bool {
            let checkpoint = try Checkpoint(
                directory: folder, config: shape.config, quantization: quantization,
                quantizing: quantizesAtLoad ? .float8 : nil)
            return checkpoint.linear(module).scales != nil
        }
        #expect(try hasScales("lm_head", quantizesAtLoad: false) == quantizesLMHead)
        #expect(try hasScales("lm_head", quantizesAtLoad: true))
        #expect(try !hasScales("model.embed_tokens", quantizesAtLoad: true))
    }

    @Test func `many threads find the same NaN code as one`() throws {
        let shape = try ModelShape("tiny")
        try CheckpointSynthesizer(shape: shape, format: .fp8Block, seed: 1).write(to: folder)
        let name = "model.layers.0.mlp.up_proj.weight"
        let file = folder.appending(path: StoredTensors.singleName)
        var bytes = try [UInt8](Data(contentsOf: file))
        let header = 8 + bytes.prefix(8).enumerated().reduce(0) { $0 + Int($1.element) << (8 * $1.offset) }
        let json = try JSONValue(parsing: Array(bytes[8..<header]))
        let start = try #require(json[name]?["data_offsets"]?[0]?.integer)
        // Row 300, column 7: beyond the first part that a thread checks.
        bytes[header + start + 300 * 256 + 7] = 0xFF
        try Data(bytes).write(to: file)
        let quantization = try QuantizationConfig(directory: folder)
        let checkpoint = try Checkpoint(directory: folder, config: shape.config, quantization: quantization)
        for pool in [nil, WorkerPool(threads: 2, spinning: .zero)] {
            let error = try #require(throws: CheckpointError.self) { try checkpoint.checkFinite(name, pool: pool) }
            #expect(error.description == "tensor \(name) is not finite: nan at row 300, column 7")
        }
    }

    @Test func `a folder is restored when writing fails`() throws {
        struct Failure: Error {}
        let outer = temporary.directory.appending(path: "a")
        let target = outer.appending(path: "b/c")
        for existing in [nil, outer, target] {
            if let existing {
                try FileManager.default.createDirectory(at: existing, withIntermediateDirectories: true)
            }
            let before = FileManager.default.enumerator(atPath: temporary.directory.path)?.allObjects as? [String]
            #expect(throws: Failure.self) {
                try CheckpointWriter.fill(target) {
                    try CheckpointWriter.write(["a": 1], to: "config.json", in: target)
                    throw Failure()
                }
            }
            let after = FileManager.default.enumerator(atPath: temporary.directory.path)?.allObjects as? [String]
            #expect(after == before)
        }
    }

    @Test func `a checkpoint larger than the disk is refused before anything is written`() throws {
        let entries = (0..<1024).map { CheckpointWriter.Entry(name: "t\($0)", type: .uint8, shape: [1 << 50]) }
        let directory = temporary.directory
        let error = #expect(throws: CheckpointError.self) {
            _ = try CheckpointWriter(directory: directory, entries: entries)
        }
        let text = try #require(error?.description)
        #expect(
            text.hasPrefix("cannot write \(directory.path): No space left on device: 1152921504.6 GB more needed"))
        #expect(text.hasSuffix("free") && !text.contains("\n"))
        #expect(try FileManager.default.contentsOfDirectory(atPath: directory.path).isEmpty)
    }

    @Test func `a file gets its name only when it is complete`() throws {
        let path = temporary.directory.appending(path: "file").path
        var file = try FileWriter(path)
        let data = Buffer([UInt8](repeating: 7, count: 1000))
        try file.append(UnsafeRawBufferPointer(data.contents))
        #expect(!FileManager.default.fileExists(atPath: path))
        try file.finish()
        #expect(try Data(contentsOf: URL(fileURLWithPath: path)) == Data(repeating: 7, count: 1000))
        #expect(try FileManager.default.contentsOfDirectory(atPath: temporary.directory.path) == ["file"])
    }

    @Test func `nothing is overwritten`() throws {
        try temporary.write([1], to: "kept")
        let shape = try ModelShape("tiny")
        let directory = temporary.directory
        #expect(throws: CheckpointError.self) {
            try CheckpointSynthesizer(shape: shape, format: .bf16, seed: 0).write(to: directory)
        }
        let source = Fixtures.root.appending(path: "model/e_bf16")
        #expect(throws: CheckpointError.self) {
            try CheckpointQuantizer(source: source, destination: directory).write()
        }
        #expect(try FileManager.default.contentsOfDirectory(atPath: directory.path) == ["kept"])
    }

    @Test(.timeLimit(.minutes(5))) func `the file of a shape is bounded, and refused with what is wrong with it`()
        throws
    {
        #expect(mkfifo(temporary.directory.appending(path: "fifo.json").path, 0o600) == 0)
        try temporary.write([UInt8](repeating: 0x20, count: 5 << 20) + Array("{}".utf8), to: "large.json")
        try temporary.write(Array("[]".utf8), to: "list.json")
        for (name, reason) in [
            ("fifo.json", "a FIFO"), ("large.json", "more than the limit of 4194304"),
            ("list.json", "list.json is not a JSON object"), ("missing.gguf", "nor a GGUF file"),
        ] {
            let path = temporary.directory.appending(path: name).path
            let error = #expect(throws: (any Error).self) { try ModelShape(path) }
            #expect(error.map { "\($0)".contains(reason) } == true, "\(name)")
        }
    }

    @Test(arguments: ModelShape.names) func `every named shape is a valid model`(name: String) throws {
        let config = try ModelShape(name).config
        #expect(config.unknownKeys.isEmpty)
        #expect(config.vocabularySize >= 269)
        #expect(config.layerTypes.contains(.full) && config.layerTypes.contains(.sliding))
    }
}

extension LinearWeight {
    fileprivate var scales: ScaleGrid? {
        if case .float8(let grid) = format { grid } else { nil }
    }
}

extension LinearWeight {
    /// All values of a matrix that is quantized in groups, as bits.
    fileprivate var quantizedValues: [UInt32]? {
        guard case .quantized(let reader) = format else { return nil }
        let target = QuantizedRows.allocate(reader.format, columns: columns)
        defer { target.deallocate() }
        return (0..<(rows + 15) / 16).flatMap { block in
            let range = block * 16..<min(block * 16 + 16, rows)
            reader.read(range, into: target)
            return range.flatMap { row in
                (0..<columns).map { target.value(row: row % 16, column: $0).bitPattern }
            }
        }
    }
}
