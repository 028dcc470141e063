import Basics

extension JSONValue {
    /// Returns the maximum memory in bytes that a JSON text takes, without the text itself, while it is parsed and when its
    /// strings are read.
    ///
    /// Makes one pass over the bytes without allocations, so that a budget can be charged before the text is parsed. The text
    /// need not be JSON, because parsing an invalid one stops earlier. If ``Cancellation`` is requested, the pass ends early.
    ///
    /// - Complexity: O(bytes), at about 1 GB/s.
    public static func estimatedBytes(of text: [UInt8]) -> Int {
        text.withUnsafeBufferPointer { bytes in
            var estimate = JSONEstimate()
            estimate.read(bytes)
            return estimate.bytes
        }
    }

    /// The approximate memory in bytes that the value takes once it is ``detached``. O(values).
    public var memoryBytes: Int {
        let own = MemoryLayout<JSONValue>.stride
        switch self {
        case .null, .bool, .integer, .double: return own
        case .string(let text), .bigInteger(let text): return own + JSONEstimate.heapBytes(of: text)
        case .array(let elements): return elements.reduce(own + JSONEstimate.header) { $0 + $1.memoryBytes }
        case .object(let object):
            return object.reduce(own + JSONEstimate.header) { sum, member in
                let name = MemoryLayout<String>.stride + JSONEstimate.heapBytes(of: member.name)
                return sum + name + member.value.memoryBytes
            }
        }
    }
}

/// Counts the parts of a text that take memory.
private struct JSONEstimate {
    /// The factor of a growing array, which doubles its size while the old storage still exists.
    private static let growth = 3
    /// The header of an array or string and the allocator's overhead, in bytes.
    static let header = 64
    /// The maximum size of the slots for a member in a hash table, in bytes.
    private static let slots = 4 * MemoryLayout<UInt32>.stride

    /// The heap memory of a string.
    static func heapBytes(of text: String) -> Int {
        let count = text.utf8.count
        return count > 15 ? header + count : 0
    }

    /// The maximum number of values and member names.
    private var nodes = 1
    private var members = 0
    private var longStrings = 0
    private var longStringBytes = 0

    var bytes: Int {
        nodes * MemoryLayout<JSONNode>.stride * Self.growth + members * Self.slots * Self.growth
            + longStrings * Self.header + longStringBytes
    }

    mutating func read(_ bytes: UnsafeBufferPointer<UInt8>) {
        var position = 0
        while position < bytes.count {
            let stretch = position + JSONString.stretch
            while position < min(stretch, bytes.count) {
                switch bytes[position] {
                case UInt8(ascii: "\""): position = readString(bytes, from: position + 1)
                case UInt8(ascii: ","), UInt8(ascii: "["), UInt8(ascii: "{"):
                    nodes += 1
                    position += 1
                case UInt8(ascii: ":"):
                    nodes += 1
                    members += 1
                    position += 1
                default: position += 1
                }
            }
            if position < bytes.count, Cancellation.isRequested { return }
        }
    }

    /// - Returns: the position after the closing quote.
    private mutating func readString(_ bytes: UnsafeBufferPointer<UInt8>, from start: Int) -> Int {
        var position = start
        var checkpoint = start + JSONString.stretch
        while true {
            position = JSONString.plainEnd(in: bytes, from: position, to: min(checkpoint, bytes.count))
            if position >= checkpoint {
                if Cancellation.isRequested { break }
                checkpoint = position + JSONString.stretch
                continue
            }
            guard position < bytes.count, bytes[position] != UInt8(ascii: "\"") else { break }
            position += bytes[position] == UInt8(ascii: "\\") ? 2 : 1
        }
        let count = min(position, bytes.count) - start
        // Shorter strings are stored inside the value.
        if count > 15 {
            longStrings += 1
            longStringBytes += count
        }
        return min(position + 1, bytes.count)
    }
}
