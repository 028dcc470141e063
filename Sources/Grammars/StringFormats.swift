/// Formats of strings as patterns that must match the whole string. They are narrower than the standards if no exact pattern is
/// possible; all matches are valid.
struct StringFormats {
    /// Must match the whole string.
    let pattern: String
    /// The possible lengths in characters.
    let lengths: ClosedRange<Int>
    /// The pattern without counts, for combination with other patterns, and the possible lengths then.
    var loose: String?
    var looseMost: Int?

    private static let date =
        "(?:[1-9][0-9]|0[1-9])[0-9]{2}-(?:(?:0[13578]|1[02])-(?:0[1-9]|[12][0-9]|3[01])|(?:0[469]|11)-(?:0[1-9]|[12][0-9]|30)|02-(?:0[1-9]|1[0-9]|2[0-8]))"
    private static let time =
        "(?:[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](?:\\.[0-9]{1,6})?(?:Z|[+-](?:[01][0-9]|2[0-3]):[0-5][0-9])"
    private static let label = "[a-z0-9](?:[a-z0-9-]{0,30}[a-z0-9])?"
    private static let looseLabel = "[a-z0-9](?:[a-z0-9-]*[a-z0-9])?"
    private static let byte = "(?:25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])"
    private static let group = "[0-9a-f]{1,4}"
    private static let pathCharacter = "[A-Za-z0-9._~!$&'()*+,;=:@-]"
    private static let queryCharacter = "[A-Za-z0-9._~!$&'()*+,;=:@/?-]"

    /// Version 1 to 8; `nil`: any.
    private static func uuid(_ version: Int?) -> StringFormats {
        let (digit, variant) = (version.map { "\($0)" } ?? "[0-9a-f]", version == nil ? "[0-9a-f]" : "[89ab]")
        return StringFormats(
            pattern: "[0-9a-f]{8}-[0-9a-f]{4}-\(digit)[0-9a-f]{3}-\(variant)[0-9a-f]{3}-[0-9a-f]{12}", lengths: 36...36)
    }

    private static let uri = StringFormats(
        pattern:
            "https?://(?:\(label)\\.){0,4}\(label)(?::[1-9][0-9]{0,3})?(?:/\(pathCharacter){0,60}){0,10}(?:\\?\(queryCharacter){0,100})?(?:#\(queryCharacter){0,100})?",
        lengths: 8...1_000,
        loose:
            "https?://\(looseLabel)(?:\\.\(looseLabel))*(?::[1-9][0-9]{0,3})?(?:/\(pathCharacter)*)*(?:\\?\(queryCharacter)*)?(?:#\(queryCharacter)*)?",
        looseMost: 70)

    /// RFC 3339 for times, 5321 for mail, 1123 for hosts, 4291 for IPv6, 3986 for URIs, 9562 for UUIDs.
    static let patterns: [String: StringFormats] = [
        "date": StringFormats(pattern: date, lengths: 10...10),
        "time": StringFormats(pattern: time, lengths: 9...21),
        "date-time": StringFormats(pattern: date + "T" + time, lengths: 20...32),
        "duration": StringFormats(
            pattern:
                "P(?:[0-9]{1,4}W|(?:[0-9]{1,4}Y)?(?:[0-9]{1,4}M)?[0-9]{1,4}D|T[0-9]{1,4}H|T[0-9]{1,4}M|T[0-9]{1,4}S)",
            lengths: 3...16),
        "email": StringFormats(
            pattern: "[A-Za-z0-9_+-]{1,30}(?:\\.[A-Za-z0-9_+-]{1,30}){0,1}@(?:\(label)\\.){1,3}[a-z]{2,10}",
            lengths: 6...171, loose: "[A-Za-z0-9_+-]+(?:\\.[A-Za-z0-9_+-]+)*@(?:\(looseLabel)\\.)+[a-z]{2,10}",
            looseMost: 63),
        "hostname": StringFormats(
            pattern: "(?:\(label)\\.){0,4}\(label)", lengths: 1...164, loose: "(?:\(looseLabel)\\.)*\(looseLabel)",
            looseMost: 63),
        "ipv4": StringFormats(pattern: "(?:\(byte)\\.){3}\(byte)", lengths: 7...15),
        "ipv6": StringFormats(pattern: "(?:\(group):){7}\(group)", lengths: 15...39),
        "uuid": uuid(nil), "uuid1": uuid(1), "uuid3": uuid(3), "uuid4": uuid(4), "uuid5": uuid(5), "uuid6": uuid(6),
        "uuid7": uuid(7), "uuid8": uuid(8),
        "uri": uri,
        // Pydantic's names.
        "ipvanyaddress": StringFormats(pattern: "(?:\(byte)\\.){3}\(byte)", lengths: 7...15),
        "ipvanynetwork": StringFormats(pattern: "(?:\(byte)\\.){3}\(byte)/32", lengths: 10...18),
        "ipvanyinterface": StringFormats(pattern: "(?:\(byte)\\.){3}\(byte)/32", lengths: 10...18),
        "ipv4network": StringFormats(pattern: "(?:\(byte)\\.){3}\(byte)/32", lengths: 10...18),
        "ipv4interface": StringFormats(pattern: "(?:\(byte)\\.){3}\(byte)/32", lengths: 10...18),
    ]
}
