import Foundation

/// Rewrites a segment of text before it is cut into pieces.
struct Normalizer: Sendable {
    private enum Step: Sendable {
        /// Canonical composition (UAX #15).
        case composed
    }

    private var steps: [Step] = []

    init(parsing member: TokenizerMember) throws(TokenizerError) {
        if !member.isNull { try add(member) }
    }

    func normalize(_ text: ArraySlice<UInt8>) -> ArraySlice<UInt8> {
        var text = text
        for step in steps {
            switch step {
            case .composed:
                // ASCII is its own normal form.
                guard text.contains(where: { $0 >= 0x80 }) else { continue }
                text = ArraySlice(String(decoding: text, as: UTF8.self).precomposedStringWithCanonicalMapping.utf8)
            }
        }
        return text
    }

    /// The normal form of a segment of a text, and the trust of its bytes.
    func normalize(_ text: ArraySlice<UInt8>, _ trust: TrustMap) -> ([UInt8], TrustMap) {
        let whole = Array(normalize(text))
        let slices = trust.slices(of: text.indices)
        guard slices.count > 1 else { return (whole, TrustMap(count: whole.count, isTrusted: slices[0].isTrusted)) }
        var parts: [UInt8] = []
        var partsTrust = TrustMap()
        for (range, isTrusted) in slices {
            let part = normalize(text[range])
            parts += part
            partsTrust.append(count: part.count, isTrusted: isTrusted)
        }
        return (whole, parts == whole ? partsTrust : TrustMap(count: whole.count, isTrusted: false))
    }

    private mutating func add(_ member: TokenizerMember) throws(TokenizerError) {
        switch try member.type {
        case "Sequence":
            for part in try member["normalizers"].elements { try add(part) }
        case "NFC": steps.append(.composed)
        case let other: throw member.unsupported(other)
        }
    }
}
