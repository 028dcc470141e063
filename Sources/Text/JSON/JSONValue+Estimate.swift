extension JSONValue {
    /// The most bytes of memory that the value of a JSON text takes while and after it is parsed, without the text itself.
    ///
    /// One pass over the bytes that makes nothing: for a budget that is charged before a text is parsed. The text need not
    /// be JSON; parsing one that is not stops earlier. Where ``Cancellation`` is requested, the number is of no use.
    ///
    /// - Complexity: O(bytes), at some 1 GB/s.
    public static func estimatedBytes(of text: [UInt8]) -> Int {
        text.withUnsafeBufferPointer { bytes in
            var estimate = JSONEstimate()
            estimate.read(bytes)
            return estimate.bytes
        }
    }
}

/// Counts what takes memory.
private struct JSONEstimate {
    /// Arrays grow to twice their size while the former half is still there.
    private static let growth = 3
    /// An array's or string's header and the allocator's share.
    private static let header = 64

    private var elements = 1
    private var members = 0
    private var containers = 0
    private var heapStrings = 0
    private var heapBytes = 0
    private var longestString = 0

    var bytes: Int {
        let value = MemoryLayout<JSONValue>.stride
        // A member has its name beside its value, and in a hash table at most 8 places of 4 bytes each, half of them before it grew.
        let member = Self.growth * MemoryLayout<String>.stride + 48
        return elements * value * Self.growth + members * member + (containers + heapStrings) * Self.header + heapBytes
            + longestString * Self.growth
    }

    mutating func read(_ bytes: UnsafeBufferPointer<UInt8>) {
        var position = 0
        // Where a number, if there is one, began at the earliest.
        var start = 0
        var checkpoint = Cancellation.checkpointBytes
        while position < bytes.count {
            if position >= checkpoint {
                checkpoint = position + Cancellation.checkpointBytes
                if Cancellation.isRequested { return }
            }
            switch bytes[position] {
            case UInt8(ascii: "\""):
                position = readString(bytes, from: position + 1)
                start = position
            case UInt8(ascii: ","):
                elements += 1
                readNumber(position - start)
                position += 1
                start = position
            case UInt8(ascii: "["), UInt8(ascii: "{"):
                elements += 1
                containers += 1
                position += 1
                start = position
            case UInt8(ascii: "]"), UInt8(ascii: "}"):
                readNumber(position - start)
                position += 1
                start = position
            case UInt8(ascii: ":"):
                members += 1
                position += 1
                start = position
            default: position += 1
            }
        }
        readNumber(position - start)
    }

    /// Integers beyond 64 bits keep their digits.
    private mutating func readNumber(_ count: Int) {
        guard count > 18 else { return }
        heapStrings += 1
        heapBytes += min(count, JSONParser.maximumNumberBytes)
    }

    /// - Returns: the position behind the closing quote.
    private mutating func readString(_ bytes: UnsafeBufferPointer<UInt8>, from start: Int) -> Int {
        var position = start
        var checkpoint = start + Cancellation.checkpointBytes
        while position < bytes.count {
            let end = min(position + Cancellation.checkpointBytes, bytes.count)
            position = JSONString.plainEnd(in: bytes, from: position, to: end)
            if position >= checkpoint {
                checkpoint = position + Cancellation.checkpointBytes
                if Cancellation.isRequested { break }
            }
            guard position < end else { continue }
            guard bytes[position] != UInt8(ascii: "\"") else { break }
            position += bytes[position] == UInt8(ascii: "\\") ? 2 : 1
        }
        let count = min(position, bytes.count) - start
        // Shorter ones are inside the value.
        if count > 15 {
            heapStrings += 1
            heapBytes += count
            longestString = max(longestString, count)
        }
        return min(position + 1, bytes.count)
    }
}
