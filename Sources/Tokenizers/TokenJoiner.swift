/// Joins the bytes of tokens as they arrive. Returned text consists of whole characters and is final.
struct TokenJoiner: Sendable {
    private let joining: TokenDecoder.Joining
    private var filters: [TextFilter]
    private var repair = UTF8Repair()
    private var bytes: ByteTokenRun
    private var isFirst = true

    /// - Parameter isExact: whether a run of byte tokens is held until it ends, because the reference replaces the whole run with
    ///   U+FFFD if one byte is invalid. Otherwise its characters are returned at once.
    init(_ decoder: TokenDecoder, isExact: Bool) {
        joining = decoder.joining
        filters = decoder.textSteps.map(TextFilter.init)
        bytes = ByteTokenRun(isExact: isExact)
    }

    mutating func append(_ content: some Collection<UInt8>, isByteToken: Bool) -> [UInt8] {
        var text: [UInt8]
        switch joining {
        case .text: text = Array(content)
        case .spaced: text = (isFirst ? [] : [UInt8(ascii: " ")]) + Array(content)
        case .byteLevel: text = repair.append(content)
        case .byteFallback:
            if isByteToken {
                text = content.reduce(into: []) { $0 += bytes.append($1) }
            } else {
                text = bytes.end() + Array(content)
            }
        }
        isFirst = false
        for index in filters.indices { text = filters[index].append(text) }
        return text
    }

    /// Returns the rest at the end of the text.
    mutating func flush() -> [UInt8] {
        var text = repair.flush() + bytes.end()
        for index in filters.indices { text = filters[index].append(text) + filters[index].flush() }
        return text
    }
}

/// A run of adjacent byte tokens.
private struct ByteTokenRun: Sendable {
    let isExact: Bool
    private var pending: [UInt8] = []
    /// Whether an earlier byte of the run was invalid. Then all following bytes are invalid too.
    private var isBroken = false

    init(isExact: Bool) {
        self.isExact = isExact
    }

    mutating func append(_ byte: UInt8) -> [UInt8] {
        pending.append(byte)
        if isExact { return [] }
        if isBroken { return takeReplacements() }
        var repair = UTF8Repair()
        let text = repair.append(pending)
        if text.isEmpty { return [] }
        if text == pending {
            pending.removeAll(keepingCapacity: true)
            return text
        }
        isBroken = true
        return takeReplacements()
    }

    /// Returns the rest of the run when another token follows.
    mutating func end() -> [UInt8] {
        isBroken = false
        guard !pending.isEmpty else { return [] }
        if isExact, String(validating: pending, as: UTF8.self) != nil {
            defer { pending.removeAll() }
            return pending
        }
        return takeReplacements()
    }

    private mutating func takeReplacements() -> [UInt8] {
        defer { pending.removeAll(keepingCapacity: true) }
        return pending.flatMap { _ in UTF8Repair.replacement }
    }
}
