import HTTPTypes
import TestSupport

@testable import HTTP
@testable import Server

// The event loop's handling of sockets, with connections of scripted clients: turns, notifications and deadlines work as in the
// event loop.
extension ServerSimulation {
    /// The maximum size of a body in the simulation; some clients send more.
    static let maxBodyBytes = 256 * 1024

    /// A notification for the service.
    enum Notice {
        case received(HTTPMessage, ExchangeID)
        case ended(ExchangeID, ExchangeOutcome)
    }

    var moment: Moment { Moment(instant: time.now, date: "Thu, 01 Jan 1970 00:00:00 GMT") }

    // MARK: Clients

    /// A client sends a request on one of its connections, or on a new one.
    func arrive() throws {
        arrivals += 1
        var client = SimulatedClient.random(keys: setting.keys, longestReply: setting.longestReply, &random)
        if setting.isHeavy, client.message.head.method == .post, random.oneIn(2) { client.transfer.makeHeavy(&random) }
        if setting.isPatient { client = .patient(maxTokens: setting.longestReply, &random) }
        if setting.isLaborious { makeLaborious(&client) }
        let idle = connections.values.filter(\.isIdle).map(\.id).sorted()
        if let id = random.oneIn(2) ? idle.randomElement(using: &random) : nil, let connection = connections[id] {
            try send(client, on: connection)
        } else if let connection = connect() {
            try send(client, on: connection)
            // Sends another request before the first has its reply.
            if random.oneIn(20), client.transfer.sendsAll, client.transfer.isPrompt, client.message.head.method == .get
            {
                pipeline(SimulatedClient.probe(&random), on: connection)
            }
        }
        if arrivals < setting.arrivals { time.schedule(after: .random(in: .zero...setting.pause, &random), .arrival) }
        guard arrivals == setting.signalArrival else { return }
        // While others still arrive, or some time after the last; if all clients are patient, late.
        var delay = Duration.random(in: .zero...setting.pause, &random)
        if arrivals == setting.arrivals {
            let least = setting.isPatient ? Duration.seconds(7200) : .zero
            delay = .random(in: least ... .seconds(7200), &random)
        }
        time.schedule(after: delay, .signal)
        if random.oneIn(6) { time.schedule(after: delay + .random(in: .zero ... .seconds(60), &random), .signal) }
    }

    /// First one tenant has most of the work, and then another.
    private func makeLaborious(_ client: inout SimulatedClient) {
        guard client.message.head.headerFields[.authorization] != nil else { return }
        let busy = setting.keys[arrivals * 2 < setting.arrivals ? 0 : 1]
        let key = random.oneIn(3) ? setting.keys.randomElement(using: &random) ?? busy : busy
        client.message.head.headerFields[.authorization] = "Bearer \(key)"
        client.statuses = [200, 400, 429, 500, 503, 504]
        let isHeavy = !random.oneIn(key == busy ? 4 : 2)
        client.cost = isHeavy ? .random(in: .seconds(1) ... .seconds(20), &random) : .milliseconds(1)
    }

    /// Like `EventLoop.admit`; nil: refused.
    private func connect() -> SimulatedConnection? {
        guard !isListenerClosed else { return nil }
        while connections.count >= http.maxConnections, makeRoom(patience: http.patienceAtMaximum) {}
        guard connections.count < http.maxConnections + http.reservedConnections else { return nil }
        lastConnection += 1
        let machine = ConnectionMachine(
            limits: http.limits, admittedPaths: connections.count < http.maxConnections ? nil : http.reservedPaths,
            bodyBudget: http.bodyBudget, at: moment, bodyAccount: http.bodyAccount, errorBody: http.errorBody)
        let connection = SimulatedConnection(id: lastConnection, machine: machine)
        connection.isReserved = machine.isRetiring
        connections[connection.id] = connection
        touch(connection)
        return connection
    }

    private func makeRoom(patience: Duration) -> Bool {
        let waiting = connections.values.compactMap { connection in
            connection.machine.waitsSince.map { (since: $0, connection: connection) }
        }
        guard let longest = waiting.min(by: { ($0.since, $0.connection.id) < ($1.since, $1.connection.id) }),
            longest.since + patience <= time.now
        else { return false }
        longest.connection.isEvicted = true
        occurrences[.eviction] = 1
        longest.connection.machine.close()
        dirty.append(longest.connection)
        connections[longest.connection.id] = nil
        return true
    }

    private func send(_ client: SimulatedClient, on connection: SimulatedConnection) throws {
        let (bytes, head) = client.wire()
        connection.behaviour = client.transfer
        connection.unsent = bytes[...]
        (connection.headBytesLeft, connection.sentBodyBytes) = (head, 0)
        connection.undelivered.append(client)
        connection.unread.append(client)
        if let patience = client.patience { time.schedule(after: patience, .departure(connection.id)) }
        try sendPiece(connection)
    }

    private func pipeline(_ client: SimulatedClient, on connection: SimulatedConnection) {
        connection.undelivered.append(client)
        connection.unread.append(client)
        connection.unsent += client.wire().bytes
        if connection.behaviour.pieces == 1 { time.schedule(after: .zero, .sends(connection.id)) }
    }

    /// The client sends its next piece.
    func sendPiece(_ connection: SimulatedConnection) throws {
        guard !connection.isClosed, !connection.hasLeft, !connection.unsent.isEmpty else { return }
        let transfer = connection.behaviour
        let client = connection.unread.last
        let total = client.map { $0.wire().bytes.count } ?? 1
        var count = transfer.pieces == 1 ? connection.unsent.count : max(1, total / transfer.pieces)
        if transfer.expectsContinue, connection.headBytesLeft > 0, transfer.padding + total > connection.headBytesLeft {
            count = min(count, connection.headBytesLeft)
        }
        count = min(count, connection.unsent.count)
        let piece = connection.unsent.prefix(count)
        connection.unsent = connection.unsent.dropFirst(count)
        connection.sentBodyBytes += max(0, count - connection.headBytesLeft)
        connection.headBytesLeft = max(0, connection.headBytesLeft - count)
        receive(piece, on: connection)
        guard !connection.unsent.isEmpty else { return }
        if !transfer.sendsAll, random.oneIn(transfer.pieces) { return }
        if transfer.expectsContinue, connection.headBytesLeft == 0, !connection.hasProceeded {
            connection.awaitsContinue = true
            return
        }
        let pause = transfer.time / transfer.pieces
        time.schedule(after: pause, .sends(connection.id))
    }

    private func receive(_ bytes: ArraySlice<UInt8>, on connection: SimulatedConnection) {
        guard connection.isReading else {
            connection.arrived += bytes
            return
        }
        connection.machine.received(bytes, at: moment)
        touch(connection)
    }

    /// The client closes its connection.
    func depart(_ connection: SimulatedConnection) {
        guard !connection.isClosed else { return }
        connection.hasLeft = true
        connection.machine.peerClosed()
        touch(connection)
    }

    /// The client reads at its rate.
    func readPiece(_ connection: SimulatedConnection) throws {
        connection.readIsDue = false
        guard !connection.isClosed, let rate = connection.behaviour.readRate else { return }
        let count = min(connection.kernel.count, rate * Self.readingInterval)
        let piece = connection.kernel.prefix(count)
        connection.kernel.removeFirst(count)
        try read(Array(piece)[...], connection)
        flush(connection)
        touch(connection)
        readLater(connection)
    }

    /// In seconds; shorter than any window.
    private static let readingInterval = 5

    private func readLater(_ connection: SimulatedConnection) {
        guard connection.behaviour.readRate ?? 0 > 0, !connection.kernel.isEmpty, !connection.readIsDue else { return }
        connection.readIsDue = true
        time.schedule(after: .seconds(Self.readingInterval), .reads(connection.id))
    }

    /// The client has read bytes.
    private func read(_ bytes: ArraySlice<UInt8>, _ connection: SimulatedConnection) throws {
        let events: [SimulatedReader.Event]
        do throws(SimulatedReader.Malformed) {
            events = try connection.reader.receive(bytes)
        } catch {
            throw failure("a reply \(error.reason)")
        }
        for event in events {
            switch event {
            case .proceeds:
                connection.hasProceeded = true
                guard connection.awaitsContinue else { continue }
                connection.awaitsContinue = false
                time.schedule(after: .zero, .sends(connection.id))
            case .head(let status):
                guard let client = connection.unread.first else { throw failure("a reply comes to no request") }
                statuses[status, default: 0] += 1
                let isDelivered = connection.undelivered.count < connection.unread.count
                if status == 503, !isDelivered, !connection.isReserved { occurrences[.bodyMemoryExhausted] = 1 }
                let mayBe =
                    client.statuses.contains(status) || client.mayBeRefused(status, isLate: hasEverJumped)
                    || (signals > 0 && status == 500)
                guard mayBe else { throw failure("a client of \(client.transfer) reads \(status)") }
                if client.isProbe, status == 503, !mayRefuseProbes(client, connection) {
                    throw failure("a probe reads 503")
                }
            case .end: try replyRead(connection)
            }
        }
    }

    private func replyRead(_ connection: SimulatedConnection) throws {
        guard !connection.unread.isEmpty else { throw failure("a reply ends that answers nothing") }
        connection.unread.removeFirst()
        connection.answered += 1
        // It disconnects at once, or stays for another request, or until the server closes the connection.
        if connection.unread.isEmpty, random.oneIn(2) { time.schedule(after: .zero, .departure(connection.id)) }
    }

    /// Whether a probe may get another reply: the connection is beyond the limit, or its request is not read.
    private func mayRefuseProbes(_ client: SimulatedClient, _ connection: SimulatedConnection) -> Bool {
        client.statuses.contains(503) || isStalled || connection.wasStalled
    }

    // MARK: The loop

    func touch(_ connection: SimulatedConnection) { dirty.append(connection) }

    /// Works until there is nothing left to do at this time: a turn.
    func settle() throws {
        while true {
            if let connection = dirty.popLast() {
                try perform(connection)
            } else if !notices.isEmpty {
                let batch = notices
                notices = []
                for notice in batch {
                    switch notice {
                    case .received(let message, let exchange): routes.receive(message, exchange: exchange)
                    case .ended(let exchange, let outcome): routes.ended(exchange, outcome: outcome)
                    }
                    try perform()
                }
            } else {
                try perform()
                if dirty.isEmpty, notices.isEmpty { return }
            }
        }
    }

    /// Performs the actions of a connection's machine.
    private func perform(_ connection: SimulatedConnection) throws {
        while true {
            let actions = connection.machine.takeActions()
            if actions.isEmpty { break }
            for action in actions {
                switch action {
                case .deliver(let request, let body, let charge): try deliver(request, body, charge, connection)
                case .ended(let outcome):
                    guard let id = connection.exchange else { throw failure("an exchange ends that has not begun") }
                    connection.exchange = nil
                    exchanges[id]?.isEnded = true
                    openExchanges.remove(id)
                    notices.append(.ended(id, outcome))
                case .write: try write(connection)
                case .pauseReading: connection.isReading = false
                case .resumeReading:
                    connection.isReading = true
                    let bytes = connection.arrived
                    connection.arrived = []
                    if !bytes.isEmpty { receive(bytes[...], on: connection) }
                case .shutdownSending:
                    connection.isFinished = true
                    // A client that has read everything closes too; others are waited for.
                    if connection.kernel.isEmpty, connection.behaviour.readRate == nil {
                        time.schedule(after: .zero, .departure(connection.id))
                    }
                case .close: try closed(connection)
                }
            }
        }
        guard !connection.isClosed, let deadline = connection.machine.deadline else { return }
        if let armed = connection.armed, armed <= deadline { return }
        connection.armed = deadline
        time.schedule(after: deadline - time.now, .deadline(connection.id))
    }

    func deadlineReached(_ connection: SimulatedConnection) {
        connection.armed = nil
        guard !connection.isClosed else { return }
        connection.machine.deadlineReached(at: moment)
        touch(connection)
    }

    private func deliver(
        _ request: HTTPRequest, _ body: [UInt8], _ charge: MemoryBudget.Reservation?, _ connection: SimulatedConnection
    ) throws {
        guard !connection.undelivered.isEmpty else { throw failure("a request is delivered that nobody sent") }
        let client = connection.undelivered.removeFirst()
        lastExchange += 1
        let id = ExchangeID(UInt64(lastExchange))
        guard connection.exchange == nil else { throw failure("\(id) begins before the end of another") }
        connection.exchange = id
        connection.wasStalled = isStalled
        openExchanges.insert(id)
        exchanges[id] = Exchange(client: client, connection: connection, arrival: time.now)
        guard body.isEmpty || body.count == client.message.body.count + client.transfer.padding else {
            throw failure("\(id) has a body of \(body.count) bytes")
        }
        let message = HTTPMessage(
            head: request, body: body, peer: "client", connection: connection.id, charge: charge)
        notices.append(.received(message, id))
    }

    private func write(_ connection: SimulatedConnection) throws {
        flush(connection)
        guard connection.behaviour.readRate == nil else { return readLater(connection) }
        let bytes = connection.kernel
        connection.kernel = []
        try read(bytes[...], connection)
    }

    /// As far as the kernel accepts it.
    private func flush(_ connection: SimulatedConnection) {
        let count = min(connection.machine.outbound.count, connection.room)
        guard count > 0 else { return }
        connection.kernel += connection.machine.outbound.withUnsafeBytes { $0.prefix(count) }
        connection.machine.wrote(count, at: moment)
    }

    private func closed(_ connection: SimulatedConnection) throws {
        connection.isClosed = true
        connections[connection.id] = nil
        if !connection.unread.isEmpty, !connection.hasLeft, !isCut { occurrences[.cutOff] = 1 }
        guard connection.isFaultless, !connection.isEvicted, !isCut, !hasEverJumped else { return }
        guard connection.unread.isEmpty || connection.isFinished else {
            throw failure("connection \(connection.id) is cut off before its reply")
        }
    }

    /// Closes every connection.
    func closeConnections() {
        isCut = true
        for connection in connections.values.sorted(by: { $0.id < $1.id }) {
            connection.machine.close()
            touch(connection)
        }
    }

    /// Like `EventLoop.closeListeners`.
    func closeListeners() {
        isListenerClosed = true
        for connection in connections.values.sorted(by: { $0.id < $1.id }) {
            connection.machine.retire()
            touch(connection)
        }
    }
}
