/// Bytes on their way to the peer, with the bound that a stream's slow reader runs into.
struct OutboundBuffer {
    private var buffer = ByteBuffer()
    private let limit: Int

    init(limit: Int) {
        self.limit = limit
    }

    var isEmpty: Bool { buffer.isEmpty }

    var count: Int { buffer.count }

    /// Whether `count` bytes more may wait. Into an empty buffer anything fits: a large piece is not a slow reader.
    func hasRoom(for count: Int) -> Bool {
        buffer.isEmpty || buffer.count + count <= limit
    }

    mutating func append(_ bytes: consuming [UInt8]) {
        buffer.append(bytes)
    }

    /// Forgets bytes that the kernel took.
    mutating func consume(_ count: Int) {
        buffer.consume(count)
    }

    mutating func removeAll() {
        buffer.removeAll()
    }

    /// Runs `body` over all bytes that wait.
    func withUnsafeBytes<Result>(_ body: (UnsafeRawBufferPointer) -> Result) -> Result {
        buffer.withUnsafeBytes(body)
    }
}
