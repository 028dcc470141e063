import CZlib

/// Decodes the codings of a request body. Pure. The work is proportional to the decoded size, so it runs off the event loop.
public struct ContentDecoder {
    /// The maximum size of the body, and of intermediate results between two codings: the limit of a plain body.
    private let limit: Int
    private let shouldStop: () -> Bool
    /// The first bytes of a gzip member (RFC 1952, 2.3.1).
    private static let magic: [UInt8] = [0x1F, 0x8B]

    /// - Parameters:
    ///   - limit: The maximum size of a decoded body in bytes.
    ///   - shouldStop: Called every 64 KiB to check for cancellation.
    public init(limit: Int, shouldStop: @escaping () -> Bool = { false }) {
        self.limit = limit
        self.shouldStop = shouldStop
    }

    /// Returns the decoded bytes of a body, and their charge. Memory is charged before it is allocated, piece by piece, and never
    /// exceeds the limit, so a small body that decodes to gigabytes costs no more than a large plain one.
    ///
    /// - Parameters:
    ///   - body: The body as received.
    ///   - codings: The codings in the order in which they were applied.
    ///   - charge: The charge of the body; the decoded one is charged in addition.
    public func decode(
        _ body: [UInt8], _ codings: [ContentCoding], charge: MemoryBudget.Reservation
    ) throws(ContentDecodingError) -> ([UInt8], MemoryBudget.Reservation) {
        var decoded = (body, charge)
        // The last coding that was applied is the outermost.
        for coding in codings.reversed() {
            decoded = try inflate(decoded.0, coding, charge: charge.beside(freeBytes: 0))
        }
        return decoded
    }

    private func inflate(
        _ bytes: [UInt8], _ coding: ContentCoding, charge: MemoryBudget.Reservation
    ) throws(ContentDecodingError) -> ([UInt8], MemoryBudget.Reservation) {
        guard let stream = InflateStream(coding, firstBytes: bytes.prefix(2)) else { throw .memoryExhausted }
        var decoded = BodyBuffer(chargedTo: charge)
        var position = 0
        while true {
            if shouldStop() { throw .stopped }
            let step = stream.inflate(bytes[position...])
            position += step.taken
            guard step.output.count <= limit - decoded.count else { throw .tooLarge }
            do throws(WireError) {
                try decoded.append(step.output, remaining: limit - decoded.count)
            } catch {
                throw .memoryExhausted
            }
            switch step.state {
            case .unfinished: continue
            case .starved: throw .incomplete(coding)
            case .malformed: throw .malformed(coding)
            case .ended:
                if position == bytes.count { return decoded.take() }
                // In gzip, several members may follow each other (RFC 1952, 2.2).
                guard coding == .gzip, Self.magic.starts(with: bytes[position...].prefix(2)), stream.restart() else {
                    throw .malformed(coding)
                }
            }
        }
    }
}

/// Decompresses one stream with zlib, which keeps pointers to its state, so the state has a fixed address.
private final class InflateStream {
    enum State {
        /// More output is available.
        case unfinished
        /// The input ends in the middle of the stream.
        case starved
        case ended
        case malformed
    }

    struct Step {
        /// The number of consumed bytes of the input.
        var taken: Int
        var output: ArraySlice<UInt8>
        var state: State
    }

    /// The maximum input and output of one step, in bytes.
    private static let stepBytes = 64 * 1024
    private let stream: UnsafeMutablePointer<z_stream>
    private var output = [UInt8](repeating: 0, count: stepBytes)

    /// Returns nil if there is no memory for the window.
    ///
    /// - Parameter firstBytes: The first two bytes, which distinguish zlib's format from raw deflate data.
    init?(_ coding: ContentCoding, firstBytes: ArraySlice<UInt8>) {
        stream = .allocate(capacity: 1)
        stream.initialize(to: z_stream())
        guard trinity_inflate_init(stream, Self.windowBits(coding, firstBytes)) == Z_OK else { return nil }
    }

    deinit {
        inflateEnd(stream)
        stream.deinitialize(count: 1)
        stream.deallocate()
    }

    /// Returns zlib's argument for the largest window and the format.
    private static func windowBits(_ coding: ContentCoding, _ firstBytes: ArraySlice<UInt8>) -> Int32 {
        switch coding {
        case .gzip: MAX_WBITS + 16
        case .deflate: isZlibHeader(firstBytes) ? MAX_WBITS : -MAX_WBITS
        }
    }

    /// Whether the bytes have method 8 and a valid checksum (RFC 1950, 2.2).
    private static func isZlibHeader(_ bytes: ArraySlice<UInt8>) -> Bool {
        guard bytes.count == 2, let first = bytes.first, let second = bytes.last else { return false }
        return first & 0x0F == 8 && (Int(first) << 8 | Int(second)).isMultiple(of: 31)
    }

    /// Decompresses the beginning of `input`.
    func inflate(_ input: ArraySlice<UInt8>) -> Step {
        let status = input.prefix(Self.stepBytes).withUnsafeBufferPointer { input in
            output.withUnsafeMutableBufferPointer { output in
                // zlib only reads from it.
                stream.pointee.next_in = UnsafeMutablePointer(mutating: input.baseAddress)
                stream.pointee.avail_in = UInt32(input.count)
                stream.pointee.next_out = output.baseAddress
                stream.pointee.avail_out = UInt32(output.count)
                return CZlib.inflate(stream, Z_NO_FLUSH)
            }
        }
        let given = Self.stepBytes - Int(stream.pointee.avail_out)
        let taken = min(input.count, Self.stepBytes) - Int(stream.pointee.avail_in)
        let state: State =
            switch status {
            case Z_STREAM_END: .ended
            case Z_OK, Z_BUF_ERROR: given == 0 && taken == input.count ? .starved : .unfinished
            default: .malformed
            }
        return Step(taken: taken, output: output[..<given], state: state)
    }

    /// Begins another stream of the same format.
    func restart() -> Bool { inflateReset(stream) == Z_OK }
}
