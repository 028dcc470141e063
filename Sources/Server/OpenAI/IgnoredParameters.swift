import HTTPTypes

/// The names of the ignored parameters of a request, for the `x-ignored` header of the reply.
///
/// A name is the path of a member without positions, such as `messages.annotations`, so that it occurs once even if a long
/// conversation has the member in each message. At most ``limit`` names of ``maximumLength`` characters are kept.
struct IgnoredParameters: Sendable, Hashable {
    static let limit = 32
    static let maximumLength = 64

    private(set) var names: [String] = []

    /// - Parameter path: the path in the form of errors, such as `messages[3].annotations`.
    mutating func insert(_ path: String) {
        guard names.count < Self.limit else { return }
        let name = Self.name(of: path)
        if !name.isEmpty, !names.contains(name) { names.append(name) }
    }

    /// Returns the name, which has only characters that are valid in a header and a metric's label.
    private static func name(of path: String) -> String {
        var name: [UInt8] = []
        var isPosition = false
        for byte in path.utf8.prefix(4 * maximumLength) where name.count < maximumLength {
            switch byte {
            case UInt8(ascii: "["): isPosition = true
            case UInt8(ascii: "]"): isPosition = false
            case _ where isPosition: continue
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "_"), UInt8(ascii: "-"), UInt8(ascii: "."):
                name.append(byte)
            default: name.append(UInt8(ascii: "?"))
            }
        }
        return String(decoding: name, as: UTF8.self)
    }

    /// The header of the reply; nil if nothing was ignored.
    var field: HTTPField? {
        guard !names.isEmpty, let name = HTTPField.Name("x-ignored") else { return nil }
        return HTTPField(name: name, value: names.joined(separator: ", "))
    }
}
