import Foundation
import JSON
import Web

/// Why one request had no usable reply.
enum RequestFailure: Error, Sendable, Equatable, CustomStringConvertible {
    case web(WebError)
    /// An HTTP status other than 200, with the server's own message.
    case status(Int, message: String)
    /// A reply that is not what the API has.
    case reply(String)
    /// The needles and the question are longer than a prompt may be.
    case length(Int)

    /// The longest part of a server's message that is shown, in characters.
    private static let longestMessage = 200

    /// The failure that a reply with this status and body means.
    init(status: Int, body: [UInt8]) {
        let json = try? JSONValue(parsing: body)
        let error = json?["error"]
        let text = error?["message"]?.string ?? error?.string ?? json?["message"]?.string ?? json?["detail"]?.string
        self = .status(status, message: String((text ?? "").withoutControls.prefix(Self.longestMessage)))
    }

    /// Whether the user stopped the test.
    var isStop: Bool { self == .web(.stopped) }

    /// The description without its numbers: messages about the length of a prompt are of one kind.
    var kind: String { description.filter { !$0.isNumber } }

    var description: String {
        switch self {
        case .web(let error): "\(error)"
        case .status(let status, let message): "HTTP \(status)\(message.isEmpty ? "" : ": \(message)")"
        case .reply(let reason): "the reply \(reason)"
        case .length(let length): "the needles, the question and the reply do not fit in \(length) tokens"
        }
    }
}
