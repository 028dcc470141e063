/// The reason why a message between ranks cannot be read.
package struct RankMessageError: Error, Equatable {
    package var reason: String
    /// Whether the message has another version of the protocol.
    package var isOtherVersion = false
}

/// A writer of the little-endian numbers and texts of a message.
struct RankWriter {
    private(set) var bytes: [UInt8] = []

    mutating func add(_ number: some FixedWidthInteger) {
        withUnsafeBytes(of: number.littleEndian) { bytes += $0 }
    }

    /// Appends the length in 4 bytes and then the text in UTF-8.
    mutating func add(_ text: String) {
        let utf8 = Array(text.utf8)
        add(UInt32(utf8.count))
        bytes += utf8
    }

    mutating func add(_ raw: UnsafeRawBufferPointer) {
        bytes += raw
    }
}

/// A reader of messages written by ``RankWriter``. Every length is checked against the remaining bytes, so that no length makes the
/// reader allocate more than the size of the message.
struct RankReader {
    private let bytes: [UInt8]
    private(set) var offset = 0

    init(_ bytes: [UInt8]) {
        self.bytes = bytes
    }

    var left: Int { bytes.count - offset }

    mutating func integer<Number: FixedWidthInteger>(_: Number.Type = Number.self) throws(RankMessageError) -> Number {
        let size = MemoryLayout<Number>.size
        guard left >= size else { throw RankMessageError(reason: "ends in a number, after \(offset) bytes") }
        defer { offset += size }
        return Number(littleEndian: bytes.withUnsafeBytes { $0.loadUnaligned(fromByteOffset: offset, as: Number.self) })
    }

    /// Reads a 4-byte number in `bounds`.
    mutating func count(in bounds: ClosedRange<Int>, _ name: String) throws(RankMessageError) -> Int {
        let value = Int(try integer(UInt32.self))
        guard bounds.contains(value) else {
            throw RankMessageError(
                reason: "\(name) is \(value), not \(bounds.lowerBound) to \(bounds.upperBound)")
        }
        return value
    }

    mutating func text(atMost limit: Int) throws(RankMessageError) -> String {
        let length = try count(in: 0...min(limit, max(left - 4, 0)), "the length of a text")
        defer { offset += length }
        return String(decoding: bytes[offset..<offset + length], as: UTF8.self)
    }

    /// Reads a list of at most `limit` elements, each of at least one byte.
    mutating func list<Element>(
        atMost limit: Int, _ element: (inout RankReader) throws(RankMessageError) -> Element
    ) throws(RankMessageError) -> [Element] {
        let count = try count(in: 0...min(limit, max(left - 4, 0)), "the length of a list")
        var elements: [Element] = []
        for _ in 0..<count { elements.append(try element(&self)) }
        return elements
    }

    func end() throws(RankMessageError) {
        guard left == 0 else { throw RankMessageError(reason: "\(left) bytes follow the message") }
    }
}
