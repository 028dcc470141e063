extension JSONValue {
    /// Returns the value that a `$ref` into this document names: a JSON pointer as a URI fragment, percent-encoded (RFC 6901,
    /// section 6) or not.
    ///
    /// - Returns: `nil` if there is no such value, or if the reference does not begin with `#`.
    package func target(ofReference reference: String) -> JSONValue? {
        guard reference == "#" || reference.hasPrefix("#/") else { return nil }
        var value = self
        for name in reference.split(separator: "/", omittingEmptySubsequences: false).dropFirst() {
            guard let next = value.member(name) ?? value.member(Self.percentDecoded(name)) else { return nil }
            value = next
        }
        return value
    }

    private func member(_ name: Substring) -> JSONValue? {
        let name = String(name.replacing("~1", with: "/").replacing("~0", with: "~"))
        if let member = self[name] { return member }
        guard let index = Int(name), let array, array.indices.contains(index) else { return nil }
        return array[index]
    }

    private static func percentDecoded(_ text: Substring) -> Substring {
        var bytes: [UInt8] = []
        var rest = Array(text.utf8)[...]
        while let byte = rest.popFirst() {
            guard byte == UInt8(ascii: "%"), rest.count >= 2,
                let decoded = UInt8(String(decoding: rest.prefix(2), as: UTF8.self), radix: 16)
            else {
                bytes.append(byte)
                continue
            }
            bytes.append(decoded)
            rest = rest.dropFirst(2)
        }
        return Substring(String(decoding: bytes, as: UTF8.self))
    }
}
