import HTTPTypes

/// A coding of request bodies (RFC 9110, 8.4.1).
public enum ContentCoding: String, Sendable, CaseIterable {
    case gzip
    /// The zlib format; raw deflate data is accepted too, because many clients send it under this name.
    case deflate

    /// The maximum number of codings of one body. Each costs a pass over the whole body.
    public static let mostOfBody = 2
    /// The supported codings as an Accept-Encoding field (RFC 9110, 12.5.3).
    public static let accepted = (allCases.map(\.rawValue) + ["identity"]).joined(separator: ", ")

    /// Returns the codings in a Content-Encoding field, in the order in which they were applied, without `identity`. Returns nil
    /// if one is unknown, or if there are more than ``mostOfBody``.
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
    /// It does not match its coding.
    case malformed(ContentCoding)
    /// It is truncated.
    case incomplete(ContentCoding)
    /// The decoded body would exceed the limit of a body.
    case tooLarge
    /// The memory for request bodies is in use.
    case memoryExhausted
    /// The work was cancelled.
    case stopped
}
