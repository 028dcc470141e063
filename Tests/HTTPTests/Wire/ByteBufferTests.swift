import TestSupport
import Testing

@testable import HTTP

@Suite struct ByteBufferTests {
    @Test func `bytes are returned in the order in which they were added, for any pieces`() {
        var generator = SeededGenerator(seed: 1)
        var buffer = ByteBuffer()
        var model: [UInt8] = []
        for step in 0..<2000 {
            if Bool.random(using: &generator) {
                let piece = (0..<Int.random(in: 0...9, using: &generator)).map { UInt8(truncatingIfNeeded: step + $0) }
                if Bool.random(using: &generator) { buffer.append(piece) } else { buffer.append(piece[...]) }
                model += piece
            } else {
                let count = Int.random(in: 0...model.count, using: &generator)
                #expect(Array(buffer[0..<count]) == Array(model[..<count]))
                buffer.consume(count)
                model.removeFirst(count)
            }
            #expect(buffer.count == model.count)
            #expect(buffer.withUnsafeBytes(Array.init) == model)
        }
    }
}
