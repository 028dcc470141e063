import HTTPTypes

@testable import HTTP

/// Runs a machine on a virtual clock and performs its actions; its output is read by a peer that may be slow.
struct MachineHarness {
    var machine: ConnectionMachine
    /// The bytes that the kernel accepted.
    private(set) var written = ""
    /// `METHOD path body` of each delivery.
    private(set) var delivered: [String] = []
    /// The charge of the last delivered body.
    var charge: MemoryBudget.Reservation?
    private(set) var outcomes: [ExchangeOutcome] = []
    private(set) var isClosed = false
    private(set) var isSendingShut = false
    private(set) var isReadingPaused = false
    /// The number of bytes that the kernel accepts now.
    var kernelRoom = Int.max

    private var clock = ContinuousClock.now
    private var moment: Moment { Moment(instant: clock, date: "D") }

    init(
        limits: ConnectionLimits = ConnectionLimits(), admittedPaths: Set<String>? = nil,
        bodyBudget: MemoryBudget = MemoryBudget(limit: .max),
        bodyAccount: @escaping @Sendable (HTTPRequest) -> MemoryBudget.Account? = { _ in .common }
    ) {
        machine = ConnectionMachine(
            limits: limits, admittedPaths: admittedPaths, bodyBudget: bodyBudget,
            at: Moment(instant: clock, date: "D"), bodyAccount: bodyAccount
        ) { error in ("text/plain", Array("\(error)".utf8)) }
    }

    mutating func receive(_ text: String) {
        machine.received(ArraySlice(text.utf8), at: moment)
        perform()
    }

    mutating func peerCloses() {
        machine.peerClosed()
        perform()
    }

    /// Advances the clock, stopping at each deadline on the way, like the loop.
    mutating func wait(_ duration: Duration) {
        let end = clock + duration
        while let deadline = machine.deadline, deadline <= end {
            clock = max(clock, deadline)
            machine.deadlineReached(at: moment)
            perform()
        }
        clock = end
    }

    mutating func respond(_ body: String, status: HTTPResponse.Status = .ok, _ fields: HTTPFields = [:]) {
        machine.respond(HTTPResponse(status: status, headerFields: fields), body: Array(body.utf8), at: moment)
        perform()
    }

    mutating func startStream(status: HTTPResponse.Status = .ok) {
        machine.startStream(HTTPResponse(status: status), at: moment)
        perform()
    }

    mutating func send(_ text: String) {
        machine.send(Array(text.utf8), at: moment)
        perform()
    }

    mutating func finish() {
        machine.finish(at: moment)
        perform()
    }

    mutating func retire() {
        machine.retire()
        perform()
    }

    /// The kernel accepts `count` more bytes.
    mutating func drain(_ count: Int) {
        kernelRoom = count
        flush()
        perform()
    }

    /// The bytes written since the last call.
    mutating func takeWritten() -> String {
        defer { written = "" }
        return written
    }

    private mutating func perform() {
        while true {
            let actions = machine.takeActions()
            if actions.isEmpty { return }
            for action in actions {
                precondition(!isClosed, "an action after close")
                switch action {
                case .deliver(let request, let body, let charge):
                    precondition(delivered.count == outcomes.count, "a delivery while another exchange is open")
                    delivered.append("\(request.method) \(request.path ?? "") \(String(decoding: body, as: UTF8.self))")
                    self.charge = charge
                case .ended(let outcome): outcomes.append(outcome)
                case .write: flush()
                case .pauseReading: isReadingPaused = true
                case .resumeReading: isReadingPaused = false
                case .shutdownSending: isSendingShut = true
                case .close: isClosed = true
                }
            }
        }
    }

    private mutating func flush() {
        let count = min(kernelRoom, machine.outbound.count)
        guard count > 0 else { return }
        written += machine.outbound.withUnsafeBytes { String(decoding: $0.prefix(count), as: UTF8.self) }
        if kernelRoom != .max { kernelRoom -= count }
        machine.wrote(count, at: moment)
    }
}
