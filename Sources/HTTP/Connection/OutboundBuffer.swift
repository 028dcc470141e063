/// Pending output, with a bound for streams.
struct OutboundBuffer {
    private var buffer = ByteBuffer()
    private let limit: Int
    /// The size of a piece above the limit that the empty buffer got: it does not count until the buffer is empty again.
    private var largePiece = 0

    init(limit: Int) {
        self.limit = limit
    }

    var isEmpty: Bool { buffer.isEmpty }

    var count: Int { buffer.count }

    /// Whether `count` more bytes may be pending. Any size fits an empty buffer, because a large piece does not mean that the
    /// reader is slow. The limit then applies to the pieces after it.
    func hasRoom(for count: Int) -> Bool {
        buffer.isEmpty || buffer.count + count <= limit + largePiece
    }

    mutating func append(_ bytes: consuming [UInt8]) {
        if buffer.isEmpty { largePiece = bytes.count > limit ? bytes.count : 0 }
        buffer.append(bytes)
    }

    /// Removes bytes that the kernel accepted.
    mutating func consume(_ count: Int) {
        buffer.consume(count)
    }

    mutating func removeAll() {
        buffer.removeAll()
    }

    /// Runs `body` over all pending bytes.
    func withUnsafeBytes<Result>(_ body: (UnsafeRawBufferPointer) -> Result) -> Result {
        buffer.withUnsafeBytes(body)
    }
}
