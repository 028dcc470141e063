import HTTPTypes

/// The state machine of one HTTP/1.1 connection, as a value. It takes events and returns actions. It has no I/O and no clock.
///
///     head ──► body ──► serving ──► flushing ──► head (keep-alive)
///      │        │          │           └───────► lingering ──► closed
///      └────────┴► refusing ───────────────────► lingering
///      any state, peer closed, reset or too slow: closed
///
/// - head: waits for a request or reads its head.
/// - body: reads the body.
/// - serving: the request was delivered, and its reply has not ended. Further input is buffered, up to a bound.
/// - flushing: the reply has ended, but the kernel has not accepted all of it.
/// - refusing: an error reply is being written; input is discarded.
/// - lingering: FIN was sent; input is discarded until the peer closes too.
///
/// One `deliver` is followed by exactly one `ended` before the next `deliver` or `close`.
struct ConnectionMachine {
    enum Phase {
        case head, body, serving, flushing, refusing, lingering, closed
    }

    /// Renders the body of an error reply.
    typealias ErrorBody = @Sendable (WireError) -> (contentType: String, body: [UInt8])

    let limits: ConnectionLimits
    private let errorBody: ErrorBody
    /// Returns the account to charge for a request's body. If it is nil, the body is not read, the request is served without it,
    /// and it is the connection's last.
    private let bodyAccount: @Sendable (HTTPRequest) -> MemoryBudget.Account?
    /// The only paths that are served; nil: all.
    private let admittedPaths: Set<String>?
    /// The budget that bodies are charged to.
    private let bodyBudget: MemoryBudget

    var phase = Phase.head
    var actions: [ConnectionAction] = []
    var outbound: OutboundBuffer
    /// The exchange that is being served, or whose body is arriving.
    var exchange: Exchange?
    /// Whether each further exchange is the connection's last.
    var isRetiring = false

    /// Whether so much is buffered that the loop must not read more for now.
    private(set) var isReadingPaused = false

    private var inbound = ByteBuffer()
    private var parser: RequestParser
    private var decoder: BodyDecoder?
    /// The request whose body is arriving; nil outside of the body phase.
    private var awaitingBody: HTTPRequest?
    /// Whether a byte of the head has arrived.
    private var headBegan = false
    private var lingeredBytes = 0
    /// The time at which the connection began to wait for a complete request, or for the peer to close; nil while a request is
    /// served.
    var waitsSince: ContinuousClock.Instant? { waiting.map { Moment.origin + $0 } }
    /// The same as ``waitsSince``. This and all times below are since `Moment.origin`.
    private var waiting: Duration?
    private var readDeadline: Duration?
    /// The progress of the body; nil outside of the body phase.
    private var bodyProgress: ProgressWindow?
    private var bodyDeadline: Duration?
    /// The progress of the peer's reading; nil while no output is pending.
    private var writeProgress: ProgressWindow?

    /// - Parameter admittedPaths: For a connection beyond the limit: the only paths (without query) that are served, one
    ///   request per connection; all other requests are refused as overloaded. Nil serves all.
    init(
        limits: ConnectionLimits, admittedPaths: Set<String>? = nil, bodyBudget: MemoryBudget, at moment: Moment,
        bodyAccount: @escaping @Sendable (HTTPRequest) -> MemoryBudget.Account? = { _ in .common },
        errorBody: @escaping ErrorBody
    ) {
        self.bodyAccount = bodyAccount
        self.limits = limits
        self.errorBody = errorBody
        self.admittedPaths = admittedPaths
        self.bodyBudget = bodyBudget
        isRetiring = admittedPaths != nil
        outbound = OutboundBuffer(limit: limits.outboundBytes)
        parser = RequestParser(limits: limits.wire)
        readDeadline = moment.time + limits.headerTimeout
        waiting = moment.time
    }

    /// The time at which to call `deadlineReached`; nil if there is no deadline.
    var deadline: ContinuousClock.Instant? {
        var machine = self
        return machine.nextDeadline().map { Moment.origin + $0 }
    }

    /// Returns the same since `Moment.origin`. Mutating, so that a class that owns a machine does not copy it for the call.
    mutating func nextDeadline() -> Duration? {
        earlier(earlier(readDeadline, bodyDeadline), earlier(bodyProgress?.end, writeProgress?.end))
    }

    /// Returns the actions since the last call, in order.
    mutating func takeActions() -> [ConnectionAction] {
        checkInvariants()
        defer { actions = [] }
        return actions
    }

    // MARK: Events

    mutating func received(_ bytes: ArraySlice<UInt8>, at moment: Moment) {
        switch phase {
        case .head:
            if !headBegan {
                headBegan = true
                readDeadline = moment.time + limits.headerTimeout
            }
            inbound.append(bytes)
            advance(at: moment)
        case .body:
            bodyProgress?.moved(bytes.count)
            inbound.append(bytes)
            advance(at: moment)
        case .serving, .flushing:
            inbound.append(bytes)
            if inbound.count >= limits.pipelinedBytes, !isReadingPaused {
                isReadingPaused = true
                actions.append(.pauseReading)
            }
        case .refusing, .lingering:
            lingeredBytes += bytes.count
            if lingeredBytes > limits.lingerBytes { close() }
        case .closed: break
        }
    }

    /// Called for FIN or a reset, detected by reading or writing. A peer that closes only its sending side before the end of the
    /// reply is treated as gone, because it cannot be distinguished from one that closed the connection.
    mutating func peerClosed() {
        close()
    }

    /// The kernel accepted `count` bytes of `outbound`.
    mutating func wrote(_ count: Int, at moment: Moment) {
        guard count > 0, phase != .closed else { return }
        outbound.consume(count)
        writeProgress?.moved(count)
        if outbound.isEmpty { writeProgress = nil }
        settle(at: moment)
    }

    /// Called at `deadline`, or earlier, because the deadline may have moved.
    mutating func deadlineReached(at moment: Moment) {
        if writeProgress?.isKept(at: moment.time) == false { return close() }
        if bodyProgress?.isKept(at: moment.time) == false { return refuse(.timedOut, at: moment) }
        if let bodyDeadline, bodyDeadline <= moment.time { return refuse(.timedOut, at: moment) }
        guard let readDeadline, readDeadline <= moment.time else { return }
        if phase == .head, headBegan { refuse(.timedOut, at: moment) } else { close() }
    }

    /// Called when the listeners are closed. An idle connection closes now, any other after its reply.
    mutating func retire() {
        isRetiring = true
        if phase == .head, !headBegan { close() }
    }

    // MARK: Transitions

    /// Parses as far as the available bytes and the phase allow.
    private mutating func advance(at moment: Moment) {
        do throws(WireError) {
            if phase == .head {
                guard let head = try parser.parse(&inbound) else { return }
                try begin(head, at: moment)
            }
            guard phase == .body, try decoder?.decode(&inbound) == true, let body = decoder?.takeBody(),
                let request = awaitingBody
            else { return }
            endBody()
            deliver(request, body: body.0, charge: body.1)
        } catch {
            refuse(error, at: moment)
        }
    }

    private mutating func begin(_ head: RequestHead, at moment: Moment) throws(WireError) {
        exchange = Exchange(head)
        if let admittedPaths {
            let path = head.request.path.map { $0.prefix { $0 != "?" } } ?? ""
            guard admittedPaths.contains(String(path)) else { throw .overloaded }
        }
        // Most requests have no body, so nothing has to be read or charged.
        guard head.framing != .length(0) else { return deliver(head.request) }
        guard let account = bodyAccount(head.request) else {
            // Otherwise the partial body would be parsed as the next request.
            exchange?.keepsAlive = false
            inbound.removeAll()
            return deliver(head.request)
        }
        guard hasRoom(for: head.framing, of: account) else { throw .bodyMemoryExhausted }
        decoder = BodyDecoder(framing: head.framing, limits: limits.wire, budget: bodyBudget, account: account)
        phase = .body
        awaitingBody = head.request
        readDeadline = nil
        bodyDeadline = moment.time + limits.bodyTimeout
        bodyProgress = ProgressWindow(rate: limits.minBodyRate, length: limits.bodyWindow, at: moment.time)
        // A body that has begun to arrive needs no 100 Continue (RFC 9110, 10.1.1).
        if head.expectsContinue, inbound.isEmpty {
            enqueue(ResponseEncoder.continue, at: moment)
        }
    }

    /// Whether a body may begin. Bodies that have begun have priority, so a large body may begin only if there is room for all of
    /// it. Only received bytes are charged, not the announced length.
    private func hasRoom(for framing: RequestHead.Framing, of account: MemoryBudget.Account) -> Bool {
        switch framing {
        case .length(let count): bodyBudget.hasRoom(for: count - BodyBuffer.freeBytes, of: account)
        case .chunked: true
        }
    }

    private mutating func endBody() {
        decoder = nil
        awaitingBody = nil
        bodyProgress = nil
        bodyDeadline = nil
    }

    private mutating func deliver(
        _ request: HTTPRequest, body: [UInt8] = [], charge: MemoryBudget.Reservation? = nil
    ) {
        phase = .serving
        readDeadline = nil
        waiting = nil
        actions.append(.deliver(request, body: body, charge: charge))
    }

    /// Continues after the kernel has accepted all of a reply.
    mutating func settle(at moment: Moment) {
        guard outbound.isEmpty else { return }
        switch phase {
        case .flushing:
            let keepsAlive = exchange?.keepsAlive == true
            exchange = nil
            actions.append(.ended(.completed))
            // A stream may have begun before the connection began to retire.
            if keepsAlive, !isRetiring { awaitRequest(at: moment) } else { linger(at: moment) }
        case .refusing: linger(at: moment)
        case .head, .body, .serving, .lingering, .closed: break
        }
    }

    private mutating func awaitRequest(at moment: Moment) {
        phase = .head
        headBegan = !inbound.isEmpty
        waiting = moment.time
        readDeadline = moment.time + (headBegan ? limits.headerTimeout : limits.idleTimeout)
        advance(at: moment)
        resumeReadingIfRoom()
    }

    private mutating func refuse(_ error: WireError, at moment: Moment) {
        let (contentType, body) = errorBody(error)
        var head = HTTPResponse(status: error.status, headerFields: [.contentType: contentType])
        if error.status == .serviceUnavailable { head.headerFields[.retryAfter] = "1" }
        var bytes: [UInt8] = []
        ResponseEncoder.head(head, framing: .length(body.count), connection: "close", date: moment.date, into: &bytes)
        if exchange?.isHead != true { bytes += body }
        endBody()
        exchange = nil
        inbound.removeAll()
        phase = .refusing
        readDeadline = nil
        enqueue(bytes, at: moment)
    }

    private mutating func linger(at moment: Moment) {
        phase = .lingering
        if waiting == nil { waiting = moment.time }
        inbound.removeAll()
        readDeadline = moment.time + limits.lingerTimeout
        actions.append(.shutdownSending)
        resumeReadingIfRoom()
    }

    mutating func close() {
        guard phase != .closed else { return }
        if phase == .serving || phase == .flushing { actions.append(.ended(.clientGone)) }
        phase = .closed
        exchange = nil
        endBody()
        inbound.removeAll()
        outbound.removeAll()
        readDeadline = nil
        writeProgress = nil
        waiting = nil
        actions.append(.close)
    }

    /// Appends bytes to the pending output.
    mutating func enqueue(_ bytes: consuming [UInt8], at moment: Moment) {
        guard !bytes.isEmpty else { return }
        if outbound.isEmpty {
            writeProgress = ProgressWindow(rate: limits.minWriteRate, length: limits.writeWindow, at: moment.time)
            actions.append(.write)
        }
        outbound.append(bytes)
    }

    private mutating func resumeReadingIfRoom() {
        guard isReadingPaused, phase != .closed, inbound.count < limits.pipelinedBytes else { return }
        isReadingPaused = false
        actions.append(.resumeReading)
    }

    /// Checked at every step in debug builds.
    private func checkInvariants() {
        assert(outbound.isEmpty == (writeProgress == nil), "a write deadline runs exactly while bytes wait")
        assert((decoder != nil) == (phase == .body), "a decoder lives exactly in the body phase")
        assert((bodyProgress != nil) == (phase == .body), "a body has a least rate exactly while it arrives")
        assert(exchange != nil || (phase != .serving && phase != .flushing), "what is served has an exchange")
        assert(phase != .closed || (inbound.isEmpty && outbound.isEmpty), "a closed connection holds no bytes")
    }
}

@inline(__always) private func earlier(_ first: Duration?, _ second: Duration?) -> Duration? {
    guard let first, let second else { return first ?? second }
    return min(first, second)
}
