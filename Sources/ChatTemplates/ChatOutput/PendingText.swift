import Foundation

/// The bytes of a reply that have not been parsed yet. Appending to the end and dropping from the front take amortized constant
/// time. Offsets count from the front.
struct PendingText: Sendable {
    private var bytes: [UInt8] = []
    private var start = 0
    /// The number of bytes dropped so far, to convert between offsets and positions in the reply.
    private(set) var dropped = 0
    /// The position of the first `</tool_call>` found, and the position before which none begins.
    private var callEnd = -1
    private var callEndSearched = 0

    var count: Int { bytes.count - start }
    var isEmpty: Bool { count == 0 }

    subscript(offset: Int) -> UInt8 { bytes[start + offset] }

    mutating func append(_ text: String) { bytes += text.utf8 }

    /// Returns the bytes of `range`.
    func slice(_ range: Range<Int>) -> ArraySlice<UInt8> {
        bytes[start + range.lowerBound..<start + range.upperBound]
    }

    func string(_ range: Range<Int>) -> String { String(decoding: slice(range), as: UTF8.self) }

    mutating func drop(_ count: Int) {
        start += count
        dropped += count
        guard start > 1024, start > bytes.count / 2 else { return }
        bytes.removeFirst(start)
        start = 0
    }

    mutating func removeAll() { drop(count) }

    /// Returns the offset of the first occurrence of `byte` at or after `offset`.
    func firstIndex(of byte: UInt8, from offset: Int = 0) -> Int? {
        bytes.withUnsafeBytes { buffer in
            guard offset < count, let base = buffer.baseAddress else { return nil }
            let found = memchr(base + start + offset, Int32(byte), count - offset)
            return found.map { UnsafeRawPointer($0) - base - start }
        }
    }

    /// Returns the first of `tags` at or after `offset`. Each tag must begin with `<`.
    func firstTag(of tags: [[UInt8]], from offset: Int = 0) -> (range: Range<Int>, tag: [UInt8])? {
        var position = offset
        while let found = firstIndex(of: UInt8(ascii: "<"), from: position) {
            let rest = bytes[(start + found)...]
            for tag in tags where rest.starts(with: tag) { return (found..<found + tag.count, tag) }
            position = found + 1
        }
        return nil
    }

    /// Returns the range of the first `</tool_call>`. Its position is cached, because text that is not a call may contain many
    /// beginnings of calls, each of which searches for it.
    mutating func firstCallEnd() -> Range<Int>? {
        let tag = ChatOutputParser.callClosing
        if callEnd < dropped {
            guard let found = firstTag(of: [tag], from: max(0, callEndSearched - dropped))?.range else {
                callEndSearched = dropped + count - openSuffix(of: [tag])
                return nil
            }
            callEnd = dropped + found.lowerBound
        }
        return callEnd - dropped..<callEnd - dropped + tag.count
    }

    /// Returns the number of bytes at the end that may be the beginning of one of `tags`.
    func openSuffix(of tags: [[UInt8]]) -> Int {
        var longest = 0
        for tag in tags {
            for length in stride(from: min(tag.count - 1, count), to: longest, by: -1)
            where bytes.suffix(length).elementsEqual(tag.prefix(length)) {
                longest = length
                break
            }
        }
        return longest
    }

    /// Returns the offset of the first byte at or after `offset` that is not white space, or `count` if there is none.
    func endOfSpace(from offset: Int = 0) -> Int {
        var end = offset
        while end < count, self[end].isSpace { end += 1 }
        return end
    }

    func withUnsafeBytes<T>(_ range: Range<Int>, _ body: (UnsafeBufferPointer<UInt8>) -> T) -> T {
        slice(range).withUnsafeBufferPointer(body)
    }
}
