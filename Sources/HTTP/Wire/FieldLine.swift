/// One `name: value` line of a header or trailer (RFC 9112, 5).
struct FieldLine {
    var name: ArraySlice<UInt8>
    /// Without the white space around it.
    var value: ArraySlice<UInt8>

    /// - Parameter line: The line without its CR LF; the scanner has refused control characters.
    init(_ line: ArraySlice<UInt8>) throws(WireError) {
        // A line that begins with a blank continues the line before (RFC 9112, 5.2).
        if let first = line.first, first.isSpaceOrTab { throw .foldedField }
        // No blank may stand before the colon (RFC 9112, 5.1): a blank is no token character.
        guard let colon = line.firstIndex(where: { !$0.isToken }), line[colon] == UInt8(ascii: ":"),
            colon > line.startIndex
        else { throw .malformedField }
        name = line[..<colon]
        value = line[(colon + 1)...].trimmed
    }
}
