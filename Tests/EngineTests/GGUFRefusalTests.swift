import Checkpoints
import Foundation
import JSON
import TestSupport
import Testing

@testable import Checkpoints
@testable import Engine

/// Files that are broken or not supported.
struct GGUFRefusalTests {
    @Test func `each file is refused with what is wrong with it, in one line`() throws {
        let list = try #require(try Fixtures.json("low-bit/refused/index.json").array)
        #expect(list.count == 25)
        for entry in list {
            let name = try #require(entry["file"]?.string)
            let expected = try #require(entry["must_name"]?.string)
            let message = refusal(of: Fixtures.root.appending(path: "low-bit/refused/\(name)"))
            #expect(message?.contains(expected) == true, "\(name): \(message ?? "accepted")")
            #expect(message?.contains("\n") == false, "\(name)")
        }
    }

    /// As the engine and the server open a file; the scales are checked at last, when the tensors are packed.
    private func refusal(of url: URL) -> String? {
        do throws(EngineError) { _ = try EmbeddedText(model: url) } catch { return error.description }
        do {
            let gguf = try #require(try ModelFiles(url).gguf)
            for (name, tensor) in gguf.tensors {
                let source = MappedBytes(tensor.bytes, owner: tensor.owner)
                let columns = tensor.shape.last ?? 1
                let rows = tensor.shape.dropLast().reduce(1, *)
                guard let matrix = GGUFMatrix(tensor.type, rows: rows, columns: columns, source) else { continue }
                if !matrix.hasFiniteScales(pool: nil) {
                    return CheckpointError.notFiniteScale(tensor: name).description
                }
            }
            return nil
        } catch {
            return "\(error)"
        }
    }
}
