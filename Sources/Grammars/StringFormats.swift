/// Formats of strings as patterns, which all of the string matches. Narrower than their standards where that makes a
/// pattern possible at all; what they allow is valid.
enum StringFormats {
    private static let date =
        "[0-9]{4}-(?:(?:0[13578]|1[02])-(?:0[1-9]|[12][0-9]|3[01])|(?:0[469]|11)-(?:0[1-9]|[12][0-9]|30)|02-(?:0[1-9]|1[0-9]|2[0-8]))"
    private static let time =
        "(?:[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](?:\\.[0-9]{1,9})?(?:Z|[+-](?:[01][0-9]|2[0-3]):[0-5][0-9])"
    private static let label = "[a-z0-9](?:[a-z0-9-]{0,30}[a-z0-9])?"
    private static let byte = "(?:25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])"
    private static let group = "[0-9a-f]{1,4}"

    /// RFC 3339 for times, 5321 for mail, 1123 for hosts, 4291 for IPv6, 3986 for URIs, 9562 for UUIDs.
    static let patterns: [String: String] = [
        "date": date,
        "time": time,
        "date-time": date + "T" + time,
        "duration":
            "P(?:[0-9]{1,4}W|(?:[0-9]{1,4}Y)?(?:[0-9]{1,4}M)?[0-9]{1,4}D|T[0-9]{1,4}H|T[0-9]{1,4}M|T[0-9]{1,4}S)",
        "email": "[A-Za-z0-9_+-]{1,30}(?:\\.[A-Za-z0-9_+-]{1,30}){0,3}@(?:\(label)\\.){1,3}[a-z]{2,10}",
        "hostname": "(?:\(label)\\.){0,4}\(label)",
        "ipv4": "(?:\(byte)\\.){3}\(byte)",
        "ipv6": "(?:\(group):){7}\(group)",
        "uuid": "[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}",
        "uri":
            "https?://(?:\(label)\\.){0,4}\(label)(?::[0-9]{1,4})?(?:/[A-Za-z0-9._~%!$&'()*+,;=:@-]{0,200}){0,20}(?:\\?[A-Za-z0-9._~!$&'()*+,;=:@/?-]{0,200})?(?:#[A-Za-z0-9._~!$&'()*+,;=:@/?-]{0,200})?",
    ]
}
