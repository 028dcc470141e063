import Foundation

/// An invitation with which the other ranks connect their bells to rank 0. Any process can reach the port, so both sides send a
/// secret.
package struct BellInvitation: Equatable, Sendable {
    private static let secretBytes = 16
    /// How long rank 0 waits for all ranks, and how long another rank tries to connect.
    static let patience = Duration.seconds(60)
    /// How long an unknown process may keep the port busy.
    private static let questionTime = Duration.seconds(2)
    /// How long each side waits for the other after the first secret. Rank 0 may have to reject unknown processes first.
    private static let answerTime = Duration.seconds(15)
    /// The interval at which rank 0 makes progress on messages while it waits for connections.
    private static let messageInterval = Duration.milliseconds(10)
    /// The bytes that a rank sends after it has received the answer.
    private static let confirmation: [UInt8] = [0]

    /// The numeric addresses of rank 0, to be tried in order.
    var addresses: [String]
    var port: UInt16
    /// The secrets that the other rank sends, and that rank 0 sends in return.
    var question: [UInt8]
    var answer: [UInt8]

    package var bytes: [UInt8] {
        var writer = RankMessage.start
        writer.add(port)
        for byte in question + answer { writer.add(byte) }
        writer.add(UInt32(addresses.count))
        for address in addresses { writer.add(address) }
        return writer.bytes
    }

    init(port: UInt16) {
        self.port = port
        addresses = Array(SocketAddress.ownAddresses().prefix(64))
        var random = SystemRandomNumberGenerator()
        func secret() -> [UInt8] { (0..<Self.secretBytes).map { _ in UInt8.random(in: .min ... .max, using: &random) } }
        (question, answer) = (secret(), secret())
    }

    package init(_ bytes: [UInt8]) throws(RankMessageError) {
        var reader = RankReader(bytes)
        try RankMessage.readStart(&reader)
        port = try reader.integer()
        var secrets: [UInt8] = []
        for _ in 0..<2 * Self.secretBytes { secrets.append(try reader.integer()) }
        question = Array(secrets.prefix(Self.secretBytes))
        answer = Array(secrets.suffix(Self.secretBytes))
        addresses = try reader.list(atMost: 64) { reader throws(RankMessageError) in try reader.text(atMost: 128) }
        try reader.end()
    }

    /// Connects the bell of a rank other than 0.
    ///
    /// - Parameter timeout: The timeout of the bell.
    func connect(rank: Int, timeout: Duration?) throws(RankFailure) -> SocketBell {
        let end = ContinuousClock.now + Self.patience
        repeat {
            for address in addresses {
                guard let socket = RankSocket.connect(address, port: port, within: Self.questionTime) else { continue }
                var writer = RankWriter()
                writer.add(UInt32(rank))
                socket.send(question + writer.bytes)
                guard socket.receive(Self.secretBytes, within: Self.answerTime) == answer else { continue }
                socket.send(Self.confirmation)
                return try SocketBell([0: socket], timeout: timeout)
            }
            usleep(100_000)
        } while ContinuousClock.now < end
        throw .transport(
            "rank \(rank) cannot connect to rank 0 at port \(port) of \(addresses.joined(separator: ", "))")
    }

    /// Accepts the connections of all other ranks. Only rank 0 calls this. A connection counts only after its rank has confirmed
    /// the answer, because the rank may have given up in the meantime and connected again.
    ///
    /// - Parameters:
    ///   - timeout: The timeout of the bell.
    ///   - progress: A function that is called repeatedly so that invitations are sent.
    func accept(
        _ listener: RankSocket, ranks: Int, timeout: Duration?, progress: () -> Void = {}
    ) throws(RankFailure) -> SocketBell {
        let end = ContinuousClock.now + Self.patience
        var sockets: [Int: RankSocket] = [:]
        while sockets.count < ranks - 1 {
            guard ContinuousClock.now < end else {
                let missing = (1..<ranks).filter { sockets[$0] == nil }.map(String.init)
                throw .transport(
                    "ranks \(missing.joined(separator: ", ")) have not connected to port \(port) of rank 0")
            }
            progress()
            guard let socket = listener.accept(until: min(end, .now + Self.messageInterval)),
                let bytes = socket.receive(Self.secretBytes + 4, within: Self.questionTime),
                bytes.starts(with: question)
            else { continue }
            var reader = RankReader(Array(bytes.dropFirst(Self.secretBytes)))
            guard let rank = try? reader.count(in: 1...ranks - 1, "a rank"), sockets[rank] == nil else { continue }
            socket.send(answer)
            guard socket.receive(Self.confirmation.count, within: Self.answerTime) == Self.confirmation else {
                continue
            }
            sockets[rank] = socket
        }
        return try SocketBell(sockets, timeout: timeout)
    }
}
