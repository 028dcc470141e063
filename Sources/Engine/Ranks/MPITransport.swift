#if MPI
    import CMPI
    import Foundation

    /// A transport between the ranks that `mpirun` started, using Open MPI. All MPI calls are made on the thread that joined.
    ///
    /// It never waits in MPI, which would keep the CPU busy. Instead, a rank tests its requests and sleeps briefly in between.
    final class MPITransport: RankTransport {
        let rank: Int
        let ranks: Int
        var bell: any RankBell { socketBell }
        private let socketBell: SocketBell
        /// How long the other ranks may take to end after rank 0 has told them to.
        private static let closingTime = Duration.seconds(5)
        private var messages: Messages

        /// Joins the other ranks and returns when all have joined.
        ///
        /// - Parameters:
        ///   - rank: The rank of this process.
        ///   - ranks: The number of ranks, at least 2.
        ///   - timeout: How long a rank may be silent, or `nil` for no limit.
        static func join(rank: Int, ranks: Int, timeout: Duration?) throws(RankFailure) -> MPITransport {
            guard trinity_mpi_init() == 0 else { throw .transport("MPI_Init_thread failed") }
            trinity_sharpen_naps()
            return try MPITransport(rank: rank, ranks: ranks, timeout: timeout)
        }

        private init(rank: Int, ranks: Int, timeout: Duration?) throws(RankFailure) {
            self.rank = rank
            self.ranks = ranks
            var messages = Messages()
            if rank == 0 {
                let (listener, port) = try RankSocket.listen()
                let invitation = BellInvitation(port: port)
                for other in 1..<ranks { try messages.send(invitation.bytes, to: other) }
                // Sending makes progress only in MPI calls, so these are made while the others connect.
                socketBell = try invitation.accept(listener, ranks: ranks, timeout: timeout) {
                    _ = messages.progress()
                }
            } else {
                var bytes: [UInt8]?
                let end = ContinuousClock.now + BellInvitation.patience
                while bytes == nil {
                    bytes = try messages.receive(from: 0, atMost: RankMessage.shortBytes)
                    guard ContinuousClock.now < end else {
                        throw .transport("rank 0 has sent no invitation for \(BellInvitation.patience)")
                    }
                    usleep(50)
                }
                let invitation: BellInvitation
                do throws(RankMessageError) { invitation = try BellInvitation(bytes ?? []) } catch {
                    throw RankFailure(error, from: 0)
                }
                socketBell = try invitation.connect(rank: rank, timeout: timeout)
            }
            self.messages = messages
        }

        func send(_ bytes: [UInt8], to rank: Int) throws(RankFailure) {
            try messages.send(bytes, to: rank)
        }

        func receive(from rank: Int, atMost limit: Int) throws(RankFailure) -> [UInt8]? {
            try messages.receive(from: rank, atMost: limit)
        }

        func progress() -> Bool { messages.progress() }

        /// MPI_Finalize returns only when all ranks have called it. This method therefore first waits, with a time limit, until all
        /// ranks have called `close`.
        func close() throws(RankFailure) {
            var request: MPI_Request?
            guard trinity_mpi_barrier(&request) == 0 else { throw .transport("MPI_Ibarrier failed") }
            let end = ContinuousClock.now + Self.closingTime
            while true {
                let state = trinity_mpi_test(&request)
                if state == 1 { break }
                guard state == 0 else { throw .transport("MPI_Test of the last barrier failed") }
                if let failure = socketBell.failure { throw failure }
                guard ContinuousClock.now < end else {
                    throw .transport("not all ranks have ended within \(Self.closingTime)")
                }
                usleep(1000)
            }
            socketBell.expectEnd()
            MPI_Finalize()
            socketBell.close()
        }

        func abandon() { socketBell.close() }
    }

    /// The pending requests of a rank.
    private struct Messages {
        private typealias Transfer = (request: MPI_Request?, bytes: UnsafeMutableRawBufferPointer)

        private var sending: [Transfer] = []
        /// Whether a message could not be sent.
        private var hasFailed = false
        /// The pending receive of each rank.
        private var receiving: [Int: Transfer] = [:]

        mutating func send(_ bytes: [UInt8], to rank: Int) throws(RankFailure) {
            _ = progress()
            guard !hasFailed else { throw .transport("MPI_Test of a sent message failed") }
            let copy = UnsafeMutableRawBufferPointer.allocate(byteCount: max(bytes.count, 1), alignment: 64)
            copy.copyBytes(from: bytes)
            var request: MPI_Request?
            guard let count = Int32(exactly: bytes.count),
                trinity_mpi_send(copy.baseAddress, count, Int32(rank), &request) == 0
            else {
                copy.deallocate()
                throw .transport("MPI_Isend of \(bytes.count) bytes to rank \(rank) failed")
            }
            sending.append((request, copy))
        }

        /// Makes progress and returns whether all messages have been sent.
        mutating func progress() -> Bool {
            var left: [Transfer] = []
            for var transfer in sending {
                // A message to a lost rank is never sent. The bell reports that the rank is lost.
                switch trinity_mpi_test(&transfer.request) {
                case 1: transfer.bytes.deallocate()
                case 0: left.append(transfer)
                // MPI has freed the request and may still read the bytes.
                default: hasFailed = true
                }
            }
            sending = left
            return sending.isEmpty
        }

        mutating func receive(from rank: Int, atMost limit: Int) throws(RankFailure) -> [UInt8]? {
            if receiving[rank] == nil { receiving[rank] = try begin(from: rank, atMost: limit) }
            guard !hasFailed else { throw .transport("MPI_Test of a sent message failed") }
            guard var transfer = receiving[rank] else { return nil }
            let state = trinity_mpi_test(&transfer.request)
            guard state != 0 else {
                receiving[rank] = transfer
                return nil
            }
            receiving[rank] = nil
            // After an error, MPI may still write to the bytes, so they are not freed.
            guard state == 1 else { throw .transport("MPI_Test of a message from rank \(rank) failed") }
            defer { transfer.bytes.deallocate() }
            return Array(transfer.bytes)
        }

        /// Starts to receive the next message of a rank. Returns `nil` if there is none.
        private func begin(from rank: Int, atMost limit: Int) throws(RankFailure) -> Transfer? {
            var message: MPI_Message?
            var count: Int32 = 0
            let found = trinity_mpi_probe(Int32(rank), &message, &count)
            guard found >= 0 else { throw .transport("MPI_Improbe of rank \(rank) failed") }
            guard found == 1 else { return nil }
            // A negative count is MPI_UNDEFINED, which stands for more than 31 bits.
            guard (0...limit).contains(Int(count)) else {
                let size = count < 0 ? "2^31" : String(count)
                throw .message(rank: rank, reason: "has \(size) bytes, more than \(limit)")
            }
            let bytes = UnsafeMutableRawBufferPointer.allocate(byteCount: Int(count), alignment: 64)
            var request: MPI_Request?
            guard trinity_mpi_receive(bytes.baseAddress, count, &message, &request) == 0 else {
                bytes.deallocate()
                throw .transport("MPI_Imrecv from rank \(rank) failed")
            }
            return (request, bytes)
        }
    }
#endif
