import Dispatch
import HTTPTypes
import Synchronization

/// An HTTP/1.1 server on one serial queue: the only owner of its listeners, connections, timers and service.
///
/// Work comes in turns: a socket's event, a timer or posted work. What a turn writes goes to the kernel at its end, in one call
/// a connection; then the service hears what has ended and what has arrived. So the service is never called from inside a call
/// of its own.
public actor EventLoop {
    /// Something that the service must be told.
    private enum Notice {
        case received(HTTPMessage, ExchangeID)
        case ended(ExchangeID, ExchangeOutcome)
    }

    let configuration: HTTPConfiguration
    let executor: LoopExecutor

    /// What was passed to `serve`. Posted work finds its service here: `loop.service as? MyService`.
    public private(set) var service: (any HTTPService)?

    /// Whose events come by number: listeners and connections. Made with the first listener.
    var sockets: SocketSet?
    var listeners: [Int: Listener] = [:]
    /// What `listen` has bound, with real ports.
    public internal(set) var addresses: [ListeningAddress] = []
    var connectionTable: [Int: Connection] = [:]
    /// What new connections speak TLS with; nil: they do not.
    var tls: TLSContext?
    var handshakes = HandshakeQueue()
    /// What waits to be written to all connections, in bytes.
    var outboundBytes = 0
    var timers: [TimerID: any DispatchSourceTimer] = [:]
    var deadlineTimer: (any DispatchSourceTimer)?
    /// When `deadlineTimer` fires; nil when it does not.
    var armedDeadline: ContinuousClock.Instant?
    /// Every read lands here first.
    var scratch = [UInt8](repeating: 0, count: 64 * 1024)

    private var exchanges: [ExchangeID: Connection] = [:]
    private var dirty: [Connection] = []
    private var notices: [Notice] = []
    private var isInTurn = false
    private var isTurnScheduled = false
    private var lastNumber = 0
    private var date = (second: -1, text: "")

    /// Shared by all loops: an exchange's number is never reused within a process.
    private static let lastExchange = Atomic<UInt64>(0)

    public nonisolated var unownedExecutor: UnownedSerialExecutor { executor.asUnownedSerialExecutor() }

    /// - Parameter label: The queue's name in a debugger.
    public init(configuration: HTTPConfiguration = HTTPConfiguration(), label: String = "http") {
        self.configuration = configuration
        executor = LoopExecutor(label: label)
    }

    // MARK: Life

    /// Hands over the service. Precondition: called once, before `listen`.
    public func serve(_ service: sending any HTTPService) {
        precondition(self.service == nil, "a loop has one service")
        self.service = service
    }

    /// New connections speak TLS from now on, or with another certificate; those that are open stay as they are.
    public func useTLS(_ context: TLSContext) {
        tls = context
    }

    /// Exchanges whose reply has not ended.
    public var activeExchanges: Int { exchanges.count }

    /// Open connections, idle ones too.
    public var connections: Int { connectionTable.count }

    // MARK: Replies

    /// A whole reply, with Content-Length added. Framing and Connection fields of `head` are left out, but `Connection: close`
    /// is obeyed.
    public func respond(_ exchange: ExchangeID, _ head: HTTPResponse, body: [UInt8]) {
        guard let connection = exchanges[exchange] else { return }
        connection.machine.respond(head, body: body, at: now())
        touch(connection)
    }

    /// The head of a reply whose body follows by `send`, and ends with `finish`.
    public func startStream(_ exchange: ExchangeID, _ head: HTTPResponse) {
        guard let connection = exchanges[exchange] else { return }
        connection.machine.startStream(head, at: now())
        touch(connection)
    }

    /// A piece of a stream's body. A peer that has left more than the bound unread is cut off: `ended` follows.
    public func send(_ exchange: ExchangeID, _ bytes: [UInt8]) {
        guard let connection = exchanges[exchange] else { return }
        if !connection.machine.outbound.hasRoom(for: bytes.count) { perform(connection) }
        connection.machine.send(bytes, at: now())
        touch(connection)
    }

    /// The end of a stream.
    public func finish(_ exchange: ExchangeID) {
        guard let connection = exchanges[exchange] else { return }
        connection.machine.finish(at: now())
        touch(connection)
    }

    // MARK: Turns

    /// Runs `work` as a turn; from any thread.
    public nonisolated func post(_ work: @escaping @Sendable (isolated EventLoop) -> Void) {
        executor.queue.async { self.assumeIsolated { $0.turn(work) } }
    }

    func turn(_ work: (isolated EventLoop) -> Void) {
        isInTurn = true
        work(self)
        while true {
            if let connection = dirty.popLast() {
                connection.isDirty = false
                perform(connection)
            } else if !notices.isEmpty {
                notify()
            } else {
                break
            }
        }
        isInTurn = false
    }

    /// The machine may have actions; they are performed at the turn's end. A task on the loop is no turn: one is scheduled.
    func touch(_ connection: Connection) {
        guard !connection.isDirty else { return }
        connection.isDirty = true
        dirty.append(connection)
        guard !isInTurn, !isTurnScheduled else { return }
        isTurnScheduled = true
        post { loop in loop.isTurnScheduled = false }
    }

    private func notify() {
        guard let service else { return notices.removeAll() }
        let batch = notices
        notices.removeAll(keepingCapacity: true)
        for notice in batch {
            switch notice {
            case .received(let message, let exchange): service.receive(message, exchange: exchange, on: self)
            case .ended(let exchange, let outcome): service.ended(exchange, outcome: outcome, on: self)
            }
        }
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
        notices.append(.ended(exchange, outcome))
    }

    // MARK: Small things

    /// A number for a listener, a connection or a timer.
    func nextNumber() -> Int {
        lastNumber += 1
        return lastNumber
    }

    func now() -> Moment {
        let second = unixSeconds()
        if second != date.second { date = (second, HTTPDate.string(secondsSince1970: second)) }
        return Moment(instant: .now, date: date.text)
    }
}
