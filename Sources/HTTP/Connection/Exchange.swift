import HTTPTypes

/// The state of a request until its reply has ended.
struct Exchange {
    enum Reply: Equatable {
        case none
        /// A stream; `sendsBody` is false if the status code or HEAD forbids a body.
        case streaming(ResponseEncoder.Framing, sendsBody: Bool)
    }

    /// Whether its method is HEAD, whose reply has no body.
    let isHead: Bool
    let version: RequestHead.Version
    /// Whether the connection stays open after the reply.
    var keepsAlive: Bool
    var reply = Reply.none

    init(_ head: RequestHead) {
        isHead = head.request.method == .head
        version = head.version
        keepsAlive = head.keepsAlive
    }
}
