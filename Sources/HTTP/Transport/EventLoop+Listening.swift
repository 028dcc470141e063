extension EventLoop {
    /// Starts to accept connections on every address of `host`; for `localhost`, on both 127.0.0.1 and ::1.
    ///
    /// - Parameters:
    ///   - host: An IPv4 or IPv6 address, a name of this machine, or `unix:` and the path of a socket.
    ///   - port: 0 lets the kernel choose one that is free on all addresses.
    /// - Returns: The first address, with the actual port; ``addresses`` has all of them.
    /// - Throws: Why it cannot listen on an address. An address that this machine lacks, such as ::1 without IPv6, is skipped
    ///   if there is another one.
    /// - Precondition: `serve` was called.
    public func listen(host: String, port: Int) throws(TransportError) -> ListeningAddress {
        try listen(hosts: try ListeningAddress.resolve(host).map(\.host), port: port)
    }

    /// - Parameter hosts: Numeric addresses, at least one.
    func listen(hosts: [String], port: Int) throws(TransportError) -> ListeningAddress {
        precondition(service != nil, "a loop needs its service before it listens")
        let bound = try bind(hosts, port: port)
        for (socket, address) in bound {
            let number = nextNumber()
            let listener = try Listener(id: number, socket: socket, address: address, sockets: executor.sockets)
            listeners[number] = listener
            addresses.append(address)
            socketFile = listener.file
        }
        return bound[0].address
    }

    private func bind(
        _ hosts: [String], port: Int
    ) throws(TransportError) -> [(socket: Socket, address: ListeningAddress)] {
        // The port that the kernel chooses for one address can be in use on another.
        for _ in 0..<(port == 0 ? 7 : 0) {
            do throws(TransportError) {
                return try bindOnce(hosts, port: port)
            } catch {
                guard case .addressInUse = error else { throw error }
            }
        }
        return try bindOnce(hosts, port: port)
    }

    private func bindOnce(
        _ hosts: [String], port: Int
    ) throws(TransportError) -> [(socket: Socket, address: ListeningAddress)] {
        var bound: [(socket: Socket, address: ListeningAddress)] = []
        var missing: TransportError?
        for host in hosts {
            do throws(TransportError) {
                bound.append(
                    try Socket.listening(
                        host: host, port: bound.first?.address.port ?? port, backlog: configuration.backlog))
            } catch {
                guard case .addressNotAvailable = error else { throw error }
                missing = missing ?? error
            }
        }
        if bound.isEmpty, let missing { throw missing }
        return bound
    }
}
