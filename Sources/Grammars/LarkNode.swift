import JSON

/// A part of a rule in Lark's notation.
indirect enum LarkNode: Sendable {
    case literal(String, ignoresCase: Bool)
    case regex(String, flags: String)
    case range(Unicode.Scalar, Unicode.Scalar)
    case name(String)
    /// A token that structures a reply, such as `<think>`.
    case marker(String)
    /// `%json` and a schema.
    case json(JSONValue)
    case sequence([LarkNode])
    case choice([LarkNode])
    case times(LarkNode, least: Int, most: Int?)
}
