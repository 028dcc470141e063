import JSON
import Scheduling

@testable import HTTP
@testable import Server

extension ServerSimulation {
    /// The properties that must hold after every event. Of the invariants in ARCHITECTURE.md: 2 by the scheduler's own checks,
    /// 5 by deadlines and counts, 6 by reaching this point, and 8 by memory, connections, masks and preparation.
    func check() throws {
        try checkDeadlines()
        try checkConnections()
        try checkMemory()
        if let violation = engine.masks.violation ?? preparation.violation { throw failure(violation) }
        let admission = routes.admission
        let permits = admission.permits.values.reduce(0, +)
        guard permits == admission.waiting + admission.running else {
            throw failure("\(permits) permits are held by \(admission.waiting) and \(admission.running) sequences")
        }
        guard admission.preparing == routes.preparing.count else {
            throw failure("\(admission.preparing) are in preparation, \(routes.preparing.count) are known")
        }
        // A reply that is being written may take an additional permit.
        guard permits - admission.preparing <= admission.capacity else { throw failure("too many permits are held") }
        if !engine.isRunning, engine.takeChange(), let violation = engine.scheduler.violatedInvariant() {
            throw failure(violation)
        }
        let retry = routes.admission.retryAfter(routes.statistics.scheduler)
        guard (0...120).contains(retry) else { throw failure("is to be tried again after \(retry) s") }
        let open = openExchanges.count
        guard routes.requests.count == open else {
            throw failure("\(routes.requests.count) requests are known, \(open) are open")
        }
    }

    /// Every request gets a reply within its time, regardless of the engine and the preparation.
    private func checkDeadlines() throws {
        // Events that are due now may not have been processed yet.
        if let next = time.next, next <= time.now { return }
        for id in openExchanges {
            guard let exchange = exchanges[id] else { continue }
            guard exchange.status == nil || exchange.isStreaming, let timeout = exchange.client.timeout else {
                continue
            }
            // A timeout in the body is known once the body has been read.
            let isKnown = routes.requests[id]?.deadline != nil
            let limit = isKnown ? timeout : routes.configuration.preparationTimeout
            let deadline = exchange.arrival + limit + .milliseconds(1)
            guard deadline >= time.now else {
                throw failure("\(id) is not answered \(time.now - exchange.arrival) after it came, with \(timeout)")
            }
        }
    }

    /// No peer uses more than its maximum time, for any sending and reading.
    private func checkConnections() throws {
        if let next = time.next, next <= time.now { return }
        let limits = http.limits
        // Idle, then a head, a body, a reply that is not read, and the wait for its end.
        let longest =
            limits.idleTimeout + limits.headerTimeout + limits.bodyTimeout + limits.writeWindow * 2
            + limits.lingerTimeout
        for (id, connection) in connections {
            if let deadline = connection.machine.deadline, deadline < time.now {
                throw failure("connection \(id) is \(time.now - deadline) behind its deadline")
            }
            let waiting = connection.machine.outbound.count
            let isStream = connection.exchange.map { exchanges[$0]?.isStreaming == true } ?? false
            // Any piece fits an empty buffer.
            guard !isStream || waiting <= limits.outboundBytes + 4096 else {
                throw failure("connection \(id) has \(waiting) bytes waiting")
            }
            guard let since = connection.machine.waitsSince, lastJump.map({ $0 < since }) ?? true else { continue }
            guard time.now - since <= longest else {
                throw failure("connection \(id) owes a request \(time.now - since)")
            }
        }
        guard connections.count <= http.maxConnections + http.reservedConnections else {
            throw failure("\(connections.count) connections are open")
        }
    }

    /// Bodies use the memory that they are charged for, and no more than the bound.
    private func checkMemory() throws {
        let used = http.bodyBudget.used
        let held = connections.values.reduce(preparation.heldBytes) { $0 + $1.heldBytes }
        guard held <= used, used <= http.bodyBudget.limit else {
            throw failure("\(held) bytes of bodies are charged with \(used) of \(http.bodyBudget.limit)")
        }
        let isIdle = preparation.isIdle && connections.values.allSatisfy { $0.machine.phase != .body }
        guard used == 0 || !isIdle else { throw failure("\(used) bytes are charged for nothing") }
    }

    /// A client that asks for vectors gets one for each input, in their order.
    func checkVectors(_ id: ExchangeID, _ body: [UInt8]) throws {
        guard let client = exchanges[id]?.client, let count = client.vectors else { return }
        let (asked, reply) = (try JSONValue(parsing: client.message.body), try JSONValue(parsing: body))
        let inputs = asked["input"]?.array ?? []
        let vectors = reply["data"]?.array ?? []
        guard inputs.count == count, vectors.count == count else {
            throw failure("\(id) gets \(vectors.count) vectors for \(count) inputs")
        }
        for (input, vector) in zip(inputs, vectors) where asked["encoding_format"] == nil {
            guard vector["embedding"] == [.double(Double(input.array?.count ?? 0))] else {
                throw failure("\(id) gets the vector of another input")
            }
        }
        occurrences[.vectors] = 1
    }

    /// The properties that must hold when no events are left.
    func checkEnd() throws {
        guard let processEnd else { throw failure("never ends") }
        guard isDrained || signalTime == processEnd else { throw failure("is never drained") }
        guard openExchanges.isEmpty, connections.isEmpty else {
            throw failure("an exchange is left open")
        }
        guard engine.isRunning || engine.masks.isIdle else { throw failure("a mask is left") }
        guard routes.requests.isEmpty, routes.preparing.isEmpty, preparation.isIdle else {
            throw failure("a request is left")
        }
        // A step that never ends keeps its sequences: they end with the process.
        guard !engine.isRunning else { return }
        guard routes.admission.isIdle, engine.scheduler.isIdle else { throw failure("a sequence is left") }
        let metrics = routes.metrics
        guard metrics.accepted.total == metrics.finished.total else {
            throw failure("\(metrics.accepted.total) sequences were accepted, \(metrics.finished.total) have ended")
        }
        let statistics = engine.scheduler.statistics
        guard statistics.freeBlocks + statistics.cachedBlocks == statistics.totalBlocks else {
            throw failure("a block is allocated when nothing runs")
        }
    }
}
