import HTTPTypes

/// A coding of request bodies (RFC 9110, 8.4.1).
public enum ContentCoding: String, Sendable, CaseIterable {
    case gzip
    /// The zlib format; bare deflate data too, which many clients send by this name.
    case deflate

    /// How many codings one body may have: each costs a pass over all of it.
    public static let mostOfBody = 2
    /// What the Accept-Encoding field says of them (RFC 9110, 12.5.3).
    public static let accepted = (allCases.map(\.rawValue) + ["identity"]).joined(separator: ", ")

    /// The codings that a Content-Encoding field names, in the order in which they were applied; `identity` is none. nil: one
    /// of them is unknown, or they are more than ``mostOfBody``.
    public static func list(_ field: String?) -> [ContentCoding]? {
        var codings: [ContentCoding] = []
        for name in (field ?? "").split(separator: ",") {
            switch name.filter({ $0 != " " && $0 != "\t" }).lowercased() {
            case "identity", "": continue
            case "gzip", "x-gzip": codings.append(.gzip)
            case "deflate": codings.append(.deflate)
            default: return nil
            }
        }
        return codings.count <= mostOfBody ? codings : nil
    }
}

/// Why a coded body was not decoded.
public enum ContentDecodingError: Error, Hashable, Sendable {
    /// It is not what its coding says.
    case malformed(ContentCoding)
    /// It ends before its end.
    case incomplete(ContentCoding)
    /// Decoded, it would be larger than a body may be.
    case tooLarge
    /// The memory for request bodies is in use.
    case memoryExhausted
    /// Nobody wants it any more.
    case stopped
}
