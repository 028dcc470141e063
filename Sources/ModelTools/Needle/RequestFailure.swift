import Basics
import Foundation
import JSON
import Web

/// Why a request had no usable reply.
enum RequestFailure: Error, Sendable, Equatable, CustomStringConvertible {
    case web(WebError)
    /// An HTTP status other than 200, with the server's message.
    case status(Int, message: String)
    /// A reply that does not follow the API.
    case reply(String)
    /// The needles and the question do not fit into the prompt's length.
    case length(Int)

    /// The maximum length of a server's message, in characters.
    private static let longestMessage = 200

    /// Creates the failure for a reply with this status and body.
    init(status: Int, body: [UInt8]) {
        let json = try? JSONValue(parsing: body)
        let error = json?["error"]
        let text = error?["message"]?.string ?? error?.string ?? json?["message"]?.string ?? json?["detail"]?.string
        self = .status(status, message: (text ?? "").printable(atMost: Self.longestMessage))
    }

    /// Whether the user stopped the test.
    var isStop: Bool { self == .web(.stopped) }

    /// The description without numbers, so that messages about prompt lengths are of one kind.
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
