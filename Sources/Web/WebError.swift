import Basics

/// The reason why a request failed.
public enum WebError: Error, Sendable, Hashable, CustomStringConvertible {
    case noHost(String, reason: String)
    case connect(String, reason: String)
    /// The server sent nothing for too long, or too slowly.
    case timeout(String)
    case closed(String)
    case tls(String, reason: String)
    case malformed(String, reason: String)
    case redirects(String)
    case proxy(String, reason: String)
    /// The user stopped the work.
    case stopped

    /// Whether the same request may succeed if it is repeated later.
    public var isTransient: Bool {
        switch self {
        case .noHost, .connect, .timeout, .closed: true
        case .tls, .malformed, .redirects, .proxy, .stopped: false
        }
    }

    /// The description without control characters, because parts of it come from the server and may be printed on a terminal.
    public var description: String { text.printable(atMost: 4000) }

    private var text: String {
        switch self {
        case .noHost(let host, let reason), .connect(let host, let reason), .tls(let host, let reason),
            .malformed(let host, let reason):
            "\(host): \(reason)"
        case .timeout(let host): "\(host): timeout: the server sent nothing, or sent it too slowly"
        case .closed(let host): "\(host): the connection was closed before the reply was complete"
        case .redirects(let url): "\(url): too many redirects, or one that is not allowed"
        case .stopped: "stopped"
        case .proxy(let proxy, let reason): "proxy \(proxy): \(reason)"
        }
    }
}
