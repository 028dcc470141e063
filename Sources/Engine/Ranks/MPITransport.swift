#if MPI
    import CMPI
    import Foundation

    /// The ranks that `mpirun` has started, by Open MPI. All calls of MPI are made on the thread that has joined.
    ///
    /// It never waits in MPI, which would keep the CPU busy: a rank tests its requests, and naps in between.
    final class MPITransport: RankTransport {
        let rank: Int
        let ranks: Int
        var bell: any RankBell { socketBell }
        private let socketBell: SocketBell
        private var messages: Messages

        /// Joins the other ranks; returns when all have joined.
        ///
        /// - Parameters:
        ///   - rank: of this process.
        ///   - ranks: at least 2.
        static func join(rank: Int, ranks: Int) throws(RankFailure) -> MPITransport {
            guard trinity_mpi_init() == 0 else { throw .transport("MPI_Init_thread failed") }
            trinity_sharpen_naps()
            return try MPITransport(rank: rank, ranks: ranks)
        }

        private init(rank: Int, ranks: Int) throws(RankFailure) {
            self.rank = rank
            self.ranks = ranks
            messages = Messages()
            if rank == 0 {
                let (listener, port) = try RankSocket.listen()
                let invitation = BellInvitation(port: port)
                for other in 1..<ranks { try messages.send(invitation.bytes, to: other) }
                // Sending needs calls of MPI, while the others connect.
                while !messages.progress() { usleep(50) }
                socketBell = try invitation.accept(listener, ranks: ranks)
            } else {
                var bytes: [UInt8]?
                while bytes == nil {
                    bytes = try messages.receive(from: 0, atMost: RankMessage.shortBytes)
                    usleep(50)
                }
                let invitation: BellInvitation
                do throws(RankMessageError) { invitation = try BellInvitation(bytes ?? []) } catch {
                    throw .message(rank: 0, reason: error.reason)
                }
                socketBell = try invitation.connect(rank: rank)
            }
        }

        func send(_ bytes: [UInt8], to rank: Int) throws(RankFailure) {
            try messages.send(bytes, to: rank)
        }

        func receive(from rank: Int, atMost limit: Int) throws(RankFailure) -> [UInt8]? {
            try messages.receive(from: rank, atMost: limit)
        }

        func progress() -> Bool { messages.progress() }

        func close() {
            socketBell.expectEnd()
            // Returns when all ranks have called it.
            MPI_Finalize()
            socketBell.close()
        }

        func abandon() { socketBell.close() }
    }

    /// The requests of a rank that are not done.
    private struct Messages {
        private typealias Transfer = (request: MPI_Request?, bytes: UnsafeMutableRawBufferPointer)

        private var sending: [Transfer] = []
        /// By rank.
        private var receiving: [Int: Transfer] = [:]

        mutating func send(_ bytes: [UInt8], to rank: Int) throws(RankFailure) {
            _ = progress()
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

        /// Whether all messages have left.
        mutating func progress() -> Bool {
            sending.removeAll { transfer in
                var request = transfer.request
                // A message to a rank that is gone never leaves; the bell tells that it is gone.
                guard trinity_mpi_test(&request) == 1 else { return false }
                transfer.bytes.deallocate()
                return true
            }
            return sending.isEmpty
        }

        mutating func receive(from rank: Int, atMost limit: Int) throws(RankFailure) -> [UInt8]? {
            if receiving[rank] == nil { receiving[rank] = try begin(from: rank, atMost: limit) }
            guard let transfer = receiving[rank] else { return nil }
            var request = transfer.request
            let state = trinity_mpi_test(&request)
            guard state != 0 else {
                receiving[rank]?.request = request
                return nil
            }
            receiving[rank] = nil
            defer { transfer.bytes.deallocate() }
            guard state == 1 else { throw .transport("MPI_Test of a message from rank \(rank) failed") }
            return Array(transfer.bytes)
        }

        /// Starts to receive the next message of a rank; `nil` if there is none.
        private func begin(from rank: Int, atMost limit: Int) throws(RankFailure) -> Transfer? {
            var message: MPI_Message?
            var count: Int32 = 0
            let found = trinity_mpi_probe(Int32(rank), &message, &count)
            guard found >= 0 else { throw .transport("MPI_Improbe of rank \(rank) failed") }
            guard found == 1 else { return nil }
            guard count <= limit else {
                throw .message(rank: rank, reason: "has \(count) bytes, more than \(limit)")
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
