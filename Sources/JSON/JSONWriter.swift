import Basics

extension JSONValue {
    /// The value as compact JSON in one line (RFC 8259), with members in order and non-ASCII characters unescaped.
    ///
    /// Floats are written with the fewest digits that read back as the same number. Infinities and NaN, which JSON does not have,
    /// are written as `null`. If ``Cancellation`` is requested, the text ends early.
    ///
    /// - Complexity: O(bytes).
    public var serialized: [UInt8] {
        var output: [UInt8] = []
        write(to: &output)
        return output
    }

    /// Appends what ``serialized`` returns.
    public func write(to output: inout [UInt8]) {
        var steps = WriterSteps()
        write(to: &output, &steps)
    }

    private func write(to output: inout [UInt8], _ steps: inout WriterSteps) {
        guard steps.goesOn(output.count) else { return }
        switch self {
        case .null: output.append(contentsOf: "null".utf8)
        case .bool(let value): output.append(contentsOf: (value ? "true" : "false").utf8)
        case .integer(let value): output.append(contentsOf: String(value).utf8)
        case .bigInteger(let digits): output.append(contentsOf: digits.utf8)
        case .double(let value): output.append(contentsOf: (value.isFinite ? value.description : "null").utf8)
        case .string(let value): JSONValue.writeString(value, to: &output)
        case .array(let elements):
            output.append(UInt8(ascii: "["))
            for (index, element) in elements.enumerated() {
                if index > 0 { output.append(UInt8(ascii: ",")) }
                element.write(to: &output, &steps)
                if steps.isStopped { return }
            }
            output.append(UInt8(ascii: "]"))
        case .object(let object):
            output.append(UInt8(ascii: "{"))
            for (index, member) in object.enumerated() {
                if index > 0 { output.append(UInt8(ascii: ",")) }
                guard steps.goesOn(output.count) else { return }
                JSONValue.writeString(member.name, to: &output)
                output.append(UInt8(ascii: ":"))
                member.value.write(to: &output, &steps)
                if steps.isStopped { return }
            }
            output.append(UInt8(ascii: "}"))
        }
    }

    /// Appends `text` as a JSON string, including the quotes. If ``Cancellation`` is requested, a long one ends early.
    public static func writeString(_ text: String, to output: inout [UInt8]) {
        output.append(UInt8(ascii: "\""))
        var text = text
        text.withUTF8 { writeEscaped($0, to: &output) }
        output.append(UInt8(ascii: "\""))
    }

    /// Appends `bytes` escaped for a JSON string, without the quotes.
    static func writeEscaped(_ bytes: UnsafeBufferPointer<UInt8>, to output: inout [UInt8]) {
        var position = 0
        while position < bytes.count {
            let end = min(position + JSONString.stretch, bytes.count)
            while position < end {
                let plain = JSONString.plainEnd(in: bytes, from: position, to: end)
                output += UnsafeBufferPointer(rebasing: bytes[position..<plain])
                position = plain
                guard position < end else { break }
                writeEscape(bytes[position], to: &output)
                position += 1
            }
            if position < bytes.count, Cancellation.isRequested { return }
        }
    }

    private static func writeEscape(_ byte: UInt8, to output: inout [UInt8]) {
        output.append(UInt8(ascii: "\\"))
        switch byte {
        case 0x0A: output.append(UInt8(ascii: "n"))
        case 0x0D: output.append(UInt8(ascii: "r"))
        case 0x09: output.append(UInt8(ascii: "t"))
        case 0..<0x20:
            output.append(contentsOf: "u00".utf8)
            output.append(UInt8(ascii: "0") + byte >> 4)
            output.append((byte & 15 < 10 ? UInt8(ascii: "0") : UInt8(ascii: "a") - 10) + byte & 15)
        default: output.append(byte)
        }
    }
}

/// Checks for cancellation at intervals while writing.
private struct WriterSteps {
    /// The number of output bytes at which to check again. Every value has at least one byte.
    private var checkpoint = interval
    private(set) var isStopped = false

    private static let interval = 1 << 14

    /// - Parameter count: the number of output bytes so far.
    mutating func goesOn(_ count: Int) -> Bool {
        guard count >= checkpoint else { return !isStopped }
        checkpoint = count + Self.interval
        if Cancellation.isRequested { isStopped = true }
        return !isStopped
    }
}
