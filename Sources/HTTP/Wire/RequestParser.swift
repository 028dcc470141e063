import HTTPTypes

/// Parses request heads line by line (RFC 9112, 2 to 6). Where the RFC leaves a choice, input that another recipient could
/// interpret differently is refused, so that no request can be smuggled past a proxy.
///
/// After an error the parser must not be used again, because the beginning of the next request is unknown.
package struct RequestParser {
    private let limits: WireLimits
    private var scanner = LineScanner()
    private var partial: PartialRequest?
    private var headerBytes = 0
    private var fieldCount = 0
    private var skippedEmptyLine = false

    package init(limits: WireLimits) {
        self.limits = limits
    }

    /// Parses one whole head at the front of `buffer`; nil if its end has not arrived.
    package mutating func parse(_ buffer: inout ByteBuffer) throws(WireError) -> RequestHead? {
        while true {
            let isRequestLine = partial == nil
            let limit = isRequestLine ? limits.requestLineBytes : limits.headerBytes - headerBytes
            let excess: WireError = isRequestLine ? .requestLineTooLong : .headerTooLarge
            guard let length = try scanner.next(in: buffer, limit: limit, excess: excess) else { return nil }

            if isRequestLine {
                try parseRequestLine(buffer[0..<length])
                buffer.consume(length + 2)
            } else if length > 0 {
                try parseField(buffer[0..<length])
                buffer.consume(length + 2)
            } else {
                buffer.consume(2)
                let head = try partial?.finished()
                self = RequestParser(limits: limits)
                return head
            }
        }
    }

    private mutating func parseRequestLine(_ line: ArraySlice<UInt8>) throws(WireError) {
        if line.isEmpty, !skippedEmptyLine {
            // Old clients send an empty line after a body (RFC 9112, 2.2).
            skippedEmptyLine = true
            return
        }
        // The first line of a client that assumes HTTP/2 (RFC 9113, 3.4).
        if line.elementsEqual("PRI * HTTP/2.0".utf8) { throw .http2Preface }
        // There must be exactly one space between the three parts. A line with two parts is HTTP/0.9.
        guard let first = line.firstIndex(of: .space), let last = line.lastIndex(of: .space), first < last else {
            throw .malformedRequestLine
        }
        let method = line[..<first]
        guard !method.isEmpty, method.allSatisfy(\.isToken),
            let method = HTTPRequest.Method(rawValue: String(decoding: method, as: UTF8.self))
        else { throw .malformedRequestLine }
        let version = try Self.version(line[(last + 1)...])
        let target = try RequestTarget(line[(first + 1)..<last], method: method)
        partial = PartialRequest(method: method, target: target, version: version, limits: limits)
    }

    /// Parses the version. A higher minor version is treated as the highest known one (RFC 9110, 2.5).
    private static func version(_ text: ArraySlice<UInt8>) throws(WireError) -> RequestHead.Version {
        let prefix = "HTTP/".utf8
        guard text.count == prefix.count + 3, text.starts(with: prefix) else { throw .malformedRequestLine }
        let major = text[text.endIndex - 3]
        let dot = text[text.endIndex - 2]
        let minor = text[text.endIndex - 1]
        guard major.isDigit, dot == UInt8(ascii: "."), minor.isDigit else { throw .malformedRequestLine }
        guard major == UInt8(ascii: "1") else { throw .unsupportedVersion }
        return minor == UInt8(ascii: "0") ? .http10 : .http11
    }

    private mutating func parseField(_ line: ArraySlice<UInt8>) throws(WireError) {
        headerBytes += line.count
        fieldCount += 1
        guard fieldCount <= limits.headerFields else { throw .headerTooLarge }
        try partial?.add(FieldLine(line))
    }
}
