/// One `name: value` line of a header or trailer (RFC 9112, 5).
struct FieldLine {
    var name: ArraySlice<UInt8>
    /// The value without the surrounding white space.
    var value: ArraySlice<UInt8>

    /// - Parameter line: The line without its CR LF; the scanner has refused control characters.
    init(_ line: ArraySlice<UInt8>) throws(WireError) {
        // A line that begins with white space continues the previous line (RFC 9112, 5.2).
        if let first = line.first, first.isSpaceOrTab { throw .foldedField }
        // White space before the colon is not allowed (RFC 9112, 5.1), and is not a token character.
        guard let colon = line.firstIndex(where: { !$0.isToken }), line[colon] == UInt8(ascii: ":"),
            colon > line.startIndex
        else { throw .malformedField }
        name = line[..<colon]
        value = line[(colon + 1)...].trimmed
    }
}
