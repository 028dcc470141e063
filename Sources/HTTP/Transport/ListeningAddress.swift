/// The address a listener is bound to; its port is the real one where 0 was asked for.
public struct ListeningAddress: Sendable, Hashable, CustomStringConvertible {
    /// Numeric, IPv6 without brackets.
    public var host: String
    public var port: Int

    public var description: String { host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)" }
}
