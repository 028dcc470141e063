import HTTP
import TestSupport

extension FuzzTarget {
    /// Pipelined requests are parsed in the same way for every split of their bytes, and no accepted request could be
    /// interpreted differently by a proxy: it has one length, and its fields contain no line ends.
    static func readRequests(_ bytes: [UInt8]) throws(BrokenInvariant) {
        guard let step = bytes.first else { return }
        let input = bytes.dropFirst()
        let whole = RequestTranscript(of: input, step: input.count)
        let pieces = RequestTranscript(of: input, step: 1 + Int(step % 40))
        try BrokenInvariant.check(whole.lines == pieces.lines, "pieces are read otherwise")
        for request in whole.requests { try check(request) }
    }

    /// A chunked body is decoded in the same way for every split, within the limit, and decodes to the same bytes when it is
    /// encoded again.
    static func decodeChunks(_ bytes: [UInt8]) throws(BrokenInvariant) {
        guard let step = bytes.first else { return }
        let input = bytes.dropFirst()
        let whole = decoded(input, step: input.count)
        let pieces = decoded(input, step: 1 + Int(step % 40))
        try BrokenInvariant.check(whole == pieces, "pieces are decoded otherwise")
        guard case .success(let body?) = whole else { return }
        try BrokenInvariant.check(body.count <= limits.bodyBytes, "more than the limit is kept")
        let written = body.flatMap { Array("1\r\n".utf8) + [$0] + Array("\r\n".utf8) } + Array("0\r\n\r\n".utf8)
        try BrokenInvariant.check(
            decoded(written[...], step: written.count) == .success(body), "written anew it differs")
    }

    private static func check(_ head: RequestHead) throws(BrokenInvariant) {
        let names = head.request.headerFields.map { $0.name.canonicalName }
        let lengths = names.count { $0 == "content-length" }
        let isChunked = names.contains("transfer-encoding")
        try BrokenInvariant.check(!isChunked || lengths == 0, "two framings were accepted")
        try BrokenInvariant.check((head.framing == .chunked) == isChunked, "a transfer coding does not count")
        try BrokenInvariant.check(head.version == .http10 || head.request.authority != nil, "no authority")
        let values = head.request.headerFields.flatMap { Array($0.value.utf8) } + Array((head.request.path ?? "").utf8)
        try BrokenInvariant.check(values.allSatisfy { $0 == 9 || $0 >= 32 && $0 != 127 }, "a control byte was accepted")
    }

    /// The whole body, nil if its end has not arrived, or the reason for its refusal.
    private static func decoded(_ input: ArraySlice<UInt8>, step: Int) -> Result<[UInt8]?, WireError> {
        var buffer = ByteBuffer()
        var decoder = BodyDecoder(framing: .chunked, limits: limits)
        return Result { () throws(WireError) in
            for piece in pieces(of: input, step: step) {
                buffer.append(piece)
                if try decoder.decode(&buffer) { return decoder.takeBody().0 }
            }
            return nil
        }
    }

    fileprivate static func pieces(of input: ArraySlice<UInt8>, step: Int) -> some Sequence<ArraySlice<UInt8>> {
        stride(from: input.startIndex, to: input.endIndex, by: max(1, step)).map {
            input[$0..<min(input.endIndex, $0 + max(1, step))]
        }
    }

    /// Low limits, so that inputs reach them.
    fileprivate static let limits: WireLimits = {
        var limits = WireLimits()
        limits.requestLineBytes = 200
        limits.headerBytes = 400
        limits.headerFields = 10
        limits.bodyBytes = 300
        limits.chunkLineBytes = 40
        return limits
    }()
}

/// The requests in a connection's bytes, up to the first error.
private struct RequestTranscript {
    private(set) var lines: [String] = []
    private(set) var requests: [RequestHead] = []

    init(of input: ArraySlice<UInt8>, step: Int) {
        var buffer = ByteBuffer()
        var parser = RequestParser(limits: FuzzTarget.limits)
        var decoder: BodyDecoder?
        do throws(WireError) {
            for piece in FuzzTarget.pieces(of: input, step: step) {
                buffer.append(piece)
                while true {
                    if decoder == nil {
                        guard let head = try parser.parse(&buffer) else { break }
                        requests.append(head)
                        lines.append("\(head.request) \(head.framing) \(head.keepsAlive)")
                        decoder = BodyDecoder(framing: head.framing, limits: FuzzTarget.limits)
                    }
                    guard try decoder?.decode(&buffer) == true else { break }
                    lines.append("\(decoder?.takeBody().0 ?? [])")
                    decoder = nil
                }
            }
        } catch {
            lines.append("\(error)")
        }
    }
}
