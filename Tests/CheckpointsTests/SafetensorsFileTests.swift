import Foundation
import JSON
import TestSupport
import Testing

@testable import Checkpoints

struct SafetensorsFileTests {
    @Test func `a tensor is found with its type, shape and bytes`() throws {
        let model = try TemporaryModel()
        try model.write([
            "a": .init(type: "U8", shape: [2, 3], bytes: [1, 2, 3, 4, 5, 6]),
            "b": .init(type: "F32", shape: [], bytes: [0, 0, 128, 63]),
        ])
        let tensors = try SafetensorsFile(model.directory.appending(path: "model.safetensors")).tensors
        #expect(tensors["a"].map { Array($0.bytes) } == [1, 2, 3, 4, 5, 6])
        #expect(tensors["a"]?.shape == [2, 3])
        #expect(tensors["b"]?.type == .float32)
        #expect(tensors["b"]?.shape == [])
    }

    @Test(
        arguments: [
            ([], "header's length"),
            ([1, 2, 3], "header's length"),
            ([255, 255, 255, 255, 255, 255, 255, 255], "at most"),
            ([16, 0, 0, 0, 0, 0, 0, 0, 0x7B, 0x7D], "beyond the file"),
            (TemporaryModel.file(header: Array("{\"a\"".utf8), data: []), "invalid JSON"),
            (TemporaryModel.file(header: Array("[]".utf8), data: []), "not a JSON object"),
        ] as [([UInt8], String)])
    func `an invalid header is refused`(bytes: [UInt8], reason: String) throws {
        let error = try #require(throws: CheckpointError.self) { try read(bytes) }
        #expect(error.description.contains("model.safetensors"))
        #expect(error.description.contains(reason))
    }

    @Test(
        arguments: [
            (#"{"x":{}}"#, "no dtype"),
            (#"{"x":{"dtype":"F4","shape":[4],"data_offsets":[0,2]}}"#, "unknown dtype F4"),
            (#"{"x":{"dtype":"U8","data_offsets":[0,2]}}"#, "no shape"),
            (
                #"{"x":{"dtype":"U8","shape":[1,1,1,1,1,1,1,1,2],"data_offsets":[0,2]}}"#,
                "9 sizes, more than the limit of 8"
            ),
            (#"{"x":{"dtype":"U8","shape":[-1],"data_offsets":[0,2]}}"#, "not a count"),
            (#"{"x":{"dtype":"U8","shape":["2"],"data_offsets":[0,2]}}"#, "not a count"),
            (#"{"x":{"dtype":"U8","shape":[2],"data_offsets":[2,0]}}"#, "[begin, end]"),
            (#"{"x":{"dtype":"U8","shape":[2],"data_offsets":[-2,0]}}"#, "[begin, end]"),
            (#"{"x":{"dtype":"U8","shape":[2],"data_offsets":[0]}}"#, "[begin, end]"),
            (#"{"x":{"dtype":"U8","shape":[9],"data_offsets":[0,9]}}"#, "end at 9, the file at 8"),
            (#"{"x":{"dtype":"F32","shape":[2],"data_offsets":[0,4]}}"#, "takes 8 bytes"),
            (#"{"x":{"dtype":"F32","shape":[4611686018427387904,4],"data_offsets":[0,4]}}"#, "too large"),
            (
                #"{"x":{"dtype":"U8","shape":[4],"data_offsets":[0,4]},"#
                    + #""y":{"dtype":"U8","shape":[3],"data_offsets":[3,6]}}"#,
                "tensor y: overlaps tensor x"
            ),
        ] as [(String, String)])
    func `an invalid entry is refused with its name`(header: String, reason: String) throws {
        let error = try #require(throws: CheckpointError.self) {
            try read(TemporaryModel.file(header: Array(header.utf8), data: [UInt8](repeating: 0, count: 8)))
        }
        guard case .malformed(_, let tensor?, _) = error else {
            Issue.record("\(error)")
            return
        }
        #expect(tensor == "x" || tensor == "y")
        #expect(error.description.contains(reason))
    }

    @Test func `texts of a file are printed without control characters, and cut`() throws {
        let name = "a\u{1B}[2J\nb\u{9B}c"
        let header: JSONValue = [
            "\(name)": [
                "dtype": .string(String(repeating: "F", count: 1 << 20)), "shape": [1], "data_offsets": [0, 1],
            ]
        ]
        let error = try #require(throws: CheckpointError.self) {
            try read(TemporaryModel.file(header: header.serialized, data: [0]))
        }
        #expect(error.description.contains("tensor a[2Jbc: unknown dtype FFF"))
        let mismatch = CheckpointError.mismatch(directory: "m", problems: ["unexpected: \(name)"]).description
        #expect(mismatch.hasSuffix("\n  unexpected: a[2Jbc"))
        let config = ModelConfigError.unsupported(key: name, value: name, supported: "1").description
        #expect(config == "a[2Jbc is a[2Jbc, which is not supported (supported: 1)")
        #expect(error.description.count < 2000)
    }

    @Test func `a missing file is named with the system's reason`() throws {
        let error = try #require(throws: CheckpointError.self) {
            try SafetensorsFile(URL(fileURLWithPath: "/nowhere/model.safetensors"))
        }
        #expect(error.description.contains("/nowhere/model.safetensors: No such file"))
    }

    @Test func `a directory is not a file`() throws {
        #expect(throws: CheckpointError.self) { try SafetensorsFile(FileManager.default.temporaryDirectory) }
    }

    @Test func `a file damaged anywhere is read or refused, never a crash`() throws {
        let header =
            #"{"x":{"dtype":"F32","shape":[2,1],"data_offsets":[0,8]},"#
            + #""y":{"dtype":"U8","shape":[4],"data_offsets":[8,12]}}"#
        let whole = TemporaryModel.file(header: Array(header.utf8), data: [UInt8](repeating: 7, count: 12))
        let alphabet = Array("0123456789-eE.,:[]{}\"".utf8)
        let model = try TemporaryModel()
        let url = model.directory.appending(path: "model.safetensors")
        var random = SeededGenerator(seed: 11)
        var refused = 0
        for round in 0..<2000 {
            var bytes = whole
            for _ in 0...random.next(below: 2) {
                bytes[random.next(below: bytes.count)] = alphabet[random.next(below: alphabet.count)]
            }
            if round.isMultiple(of: 5) { bytes.removeLast(random.next(below: bytes.count)) }
            try model.write(bytes)
            do throws(CheckpointError) {
                for tensor in try SafetensorsFile(url).tensors.values {
                    #expect(tensor.bytes.count == tensor.shape.reduce(tensor.type.size, *))
                }
            } catch {
                refused += 1
            }
        }
        #expect(refused > 500 && refused < 2000)
    }

    private func read(_ bytes: [UInt8]) throws -> SafetensorsFile {
        let model = try TemporaryModel()
        try model.write(bytes)
        return try SafetensorsFile(model.directory.appending(path: "model.safetensors"))
    }
}
