import HTTPTypes
import Synchronization

/// An HTTP/1.1 server on one thread, the only owner of its listeners, connections, timers and service.
///
/// Work is done in turns: the events of the sockets, a timer or posted work. The output of a turn is written at its end, in one
/// call per connection. Then the service is notified of ended and arrived requests, so it is never called from inside one of
/// its own calls.
public actor EventLoop {
    /// A notification for the service.
    private enum Notice {
        case received(HTTPMessage, ExchangeID)
        case ended(ExchangeID, ExchangeOutcome)
    }

    let configuration: HTTPConfiguration
    nonisolated let executor: LoopExecutor

    /// The service that was passed to `serve`. Posted work finds it here: `loop.service as? MyService`.
    public private(set) var service: (any HTTPService)?

    /// The listeners by the number of their events.
    var listeners: [Int: Listener] = [:]
    /// The addresses bound by `listen`, with actual ports.
    public internal(set) var addresses: [ListeningAddress] = []
    /// The file of the Unix socket, if there is one. Code that exits without closing the listeners must remove it.
    public internal(set) var socketFile: SocketFile?
    var connectionTable: [Int: Connection] = [:]
    /// The TLS context of new connections; nil without TLS.
    var tls: TLSContext?
    var handshakes = HandshakeQueue()
    /// The total pending output of all connections, in bytes.
    var outboundBytes = 0
    var timers = TimerTable()
    /// The time of the next check of the connections' deadlines, since `Moment.origin`; nil if there is no deadline.
    var armedDeadline: Duration?
    /// The buffer for all reads.
    var scratch = [UInt8](repeating: 0, count: 64 * 1024)

    private var exchanges: [ExchangeID: Connection] = [:]
    /// The number of exchanges that ended with a whole reply.
    private(set) var completedExchanges = 0
    private var dirty: [Connection] = []
    private var notices: [Notice] = []
    /// The storage of the last lists, for the next ones.
    private var performed: [Connection] = []
    private var notified: [Notice] = []
    /// The maximum capacity of a list whose storage is kept.
    private static let keptEntries = 1024
    /// The time at which the current turn began; nil outside of turns.
    private var turnBegin: Moment?
    private var isTurnScheduled = false
    private var lastNumber = 0
    private var date = (second: -1, text: "")

    /// Shared by all loops, so that an exchange's number is never reused within a process.
    private static let lastExchange = Atomic<UInt64>(0)

    public nonisolated var unownedExecutor: UnownedSerialExecutor { executor.asUnownedSerialExecutor() }

    /// - Parameter label: The queue's name in a debugger.
    /// - Throws: An error if the kernel has no free descriptor.
    public init(configuration: HTTPConfiguration = HTTPConfiguration(), label: String = "http") throws(TransportError) {
        self.configuration = configuration
        executor = try LoopExecutor(label: label)
        // Weak, because otherwise the loop and its thread would keep each other alive.
        executor.start { [weak self] events in
            self?.assumeIsolated { $0.round(events) } ?? LoopExecutor.Pause()
        }
    }

    deinit {
        executor.stop()
    }

    // MARK: Life

    /// Sets the service. Precondition: called once, before `listen`.
    public func serve(_ service: sending any HTTPService) {
        precondition(self.service == nil, "a loop has one service")
        self.service = service
    }

    /// Sets the TLS context of new connections; open connections keep theirs.
    public func useTLS(_ context: TLSContext) {
        tls = context
    }

    /// The number of exchanges whose reply has not ended.
    public var activeExchanges: Int { exchanges.count }

    /// The number of open connections, including idle ones.
    public var connections: Int { connectionTable.count }

    // MARK: Replies

    /// Sends a whole reply, with Content-Length added. Framing and Connection fields of `head` are left out, except that
    /// `Connection: close` is respected.
    public func respond(_ exchange: ExchangeID, _ head: HTTPResponse, body: [UInt8]) {
        guard let connection = exchanges[exchange] else { return }
        connection.machine.respond(head, body: body, at: now())
        touch(connection)
    }

    /// Sends the head of a reply whose body is sent by `send` and ended by `finish`.
    public func startStream(_ exchange: ExchangeID, _ head: HTTPResponse) {
        guard let connection = exchanges[exchange] else { return }
        connection.machine.startStream(head, at: now())
        touch(connection)
    }

    /// Sends a piece of a stream's body. If the peer has left more than the bound unread, the connection is closed, and `ended`
    /// follows.
    public func send(_ exchange: ExchangeID, _ bytes: [UInt8]) {
        guard let connection = exchanges[exchange] else { return }
        if !connection.machine.outbound.hasRoom(for: bytes.count) { perform(connection) }
        connection.machine.send(bytes, at: now())
        touch(connection)
    }

    /// Ends a stream.
    public func finish(_ exchange: ExchangeID) {
        guard let connection = exchanges[exchange] else { return }
        connection.machine.finish(at: now())
        touch(connection)
    }

    // MARK: Turns

    /// Runs `work` as a turn; may be called on any thread.
    public nonisolated func post(_ work: @escaping @Sendable (isolated EventLoop) -> Void) {
        executor.post { self.assumeIsolated { $0.turn(work) } }
    }

    func turn(_ work: (isolated EventLoop) -> Void) {
        turnBegin = now()
        work(self)
        while !dirty.isEmpty || !notices.isEmpty {
            swap(&dirty, &performed)
            for connection in performed {
                connection.isDirty = false
                perform(connection)
            }
            performed.removeAll(keepingCapacity: performed.capacity <= Self.keptEntries)
            // The service is notified when no connection has actions left.
            if dirty.isEmpty { notify() }
        }
        turnBegin = nil
    }

    /// Called when the machine may have actions. They are performed at the end of the turn. Outside of a turn, one is scheduled.
    func touch(_ connection: Connection) {
        guard !connection.isDirty else { return }
        connection.isDirty = true
        dirty.append(connection)
        guard turnBegin == nil, !isTurnScheduled else { return }
        isTurnScheduled = true
        post { loop in loop.isTurnScheduled = false }
    }

    private func notify() {
        guard let service else { return notices.removeAll() }
        swap(&notices, &notified)
        for notice in notified {
            switch notice {
            case .received(let message, let exchange): service.receive(message, exchange: exchange, on: self)
            case .ended(let exchange, let outcome): service.ended(exchange, outcome: outcome, on: self)
            }
        }
        notified.removeAll(keepingCapacity: notified.capacity <= Self.keptEntries)
    }

    // MARK: Exchanges

    func beginExchange(
        _ request: HTTPRequest, body: [UInt8], charge: MemoryBudget.Reservation?, on connection: Connection
    ) {
        let exchange = ExchangeID(Self.lastExchange.add(1, ordering: .relaxed).newValue)
        connection.exchange = exchange
        exchanges[exchange] = connection
        let message = HTTPMessage(
            head: request, body: body, peer: connection.peer, connection: connection.id, charge: charge)
        notices.append(.received(message, exchange))
    }

    func endExchange(_ outcome: ExchangeOutcome, on connection: Connection) {
        guard let exchange = connection.exchange else { return }
        connection.exchange = nil
        exchanges[exchange] = nil
        if outcome == .completed { completedExchanges += 1 }
        notices.append(.ended(exchange, outcome))
    }

    // MARK: Numbers and time

    /// Returns a new number for a listener, a connection or a timer.
    func nextNumber() -> Int {
        lastNumber += 1
        return lastNumber
    }

    /// Returns the time. In a turn, it is the time of the turn's beginning, because a turn is short and needs the time often.
    func now() -> Moment {
        if let turnBegin { return turnBegin }
        let second = unixSeconds()
        if second != date.second { date = (second, HTTPDate.string(secondsSince1970: second)) }
        return Moment(instant: .now, date: date.text)
    }
}
