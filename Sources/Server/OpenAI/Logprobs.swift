import Engine
import JSON

/// A token of a prompt or a reply, and its log-probabilities. The first token of a prompt has none.
struct ScoredToken: Sendable {
    var id: Int32
    var logprobs: TokenLogprobs?
}

extension GeneratedToken {
    var scored: ScoredToken { ScoredToken(id: id, logprobs: logprobs) }
}

/// Writes log-probabilities of tokens in the form of each endpoint.
///
/// The same token at the same position always has the same number, because evaluation programs compare a token's own entry
/// with the alternatives for equality.
struct Logprobs: Sendable {
    let names: TokenNames
    /// Whether special tokens are left out of the choices' texts.
    let skipsSpecialTokens: Bool
    /// Whether tokens are named `token_id:N`.
    var namesTokensByID = false

    /// The approximate size of a written alternative in bytes.
    private static let entryBytes = 96

    /// Returns the approximate memory of a token's log-probabilities and their written form, in bytes. The JSON values in between
    /// exist only one at a time.
    static func memoryBytes(_ logprobs: TokenLogprobs) -> Int {
        MemoryLayout<TokenLogprobs>.stride + RequestMemory.header
            + logprobs.top.count * MemoryLayout<TokenLogprob>.stride + (logprobs.top.count + 1) * entryBytes
    }

    /// Returns the `logprobs` of a completion's choice, or of one chunk of it.
    ///
    /// - Parameter position: the position of the first token in the text; advanced past the last token.
    func completionJSON(of tokens: [ScoredToken], position: inout TextPosition) -> JSONValue {
        var offsets: [Int] = []
        offsets.reserveCapacity(tokens.count)
        for token in tokens {
            offsets.append(position.offset)
            if !skipsSpecialTokens || !names.isSpecial(token.id) {
                position.advance(past: names.bytes(of: token.id) ?? [])
            }
        }
        return [
            "tokens": list(tokens) { .string(name($0.id)) },
            "token_logprobs": list(tokens) { token in token.logprobs.map { number($0.logprob) } ?? .null },
            "top_logprobs": list(tokens) { token in
                token.logprobs.map { .object(top($0, sampled: token.id)) } ?? .null
            },
            "text_offset": .array(JSONArray(count: offsets.count) { [offsets] in .integer(offsets[$0]) }),
        ]
    }

    /// Returns the alternatives by text, always including the sampled token. Of two ids with the same text, the more likely one
    /// counts.
    private func top(_ logprobs: TokenLogprobs, sampled: Int32) -> JSONObject {
        var object = JSONObject()
        for entry in logprobs.top + [TokenLogprob(id: sampled, logprob: logprobs.logprob)] {
            let text = name(entry.id)
            let value = number(entry.logprob)
            guard let present = object[text]?.double, let new = value.double, present >= new else {
                object[text] = value
                continue
            }
        }
        return object
    }

    /// Returns the `logprobs` of a chat completion's choice, or of one chunk of it.
    func chatJSON(of tokens: [ScoredToken]) -> JSONValue {
        ["content": entries(of: tokens), "refusal": nil]
    }

    /// Returns an entry for each token, with its alternatives.
    ///
    /// - Parameter hasBytes: whether entries have the bytes of their tokens.
    func entries(of tokens: [ScoredToken], hasBytes: Bool = true) -> JSONValue {
        list(tokens) { token in
            var entry = entry(token.id, token.logprobs?.logprob ?? -.infinity, hasBytes)
            let top = token.logprobs?.top ?? []
            entry["top_logprobs"] = .array(top.map { .object(self.entry($0.id, $0.logprob, hasBytes)) })
            return .object(entry)
        }
    }

    /// Returns an array whose elements are created when they are written. The values of all alternatives would take many times the
    /// memory of their tokens and text.
    private func list(
        _ tokens: [ScoredToken], _ element: @escaping @Sendable (ScoredToken) -> JSONValue
    ) -> JSONValue {
        .array(JSONArray(count: tokens.count) { element(tokens[$0]) })
    }

    private func entry(_ id: Int32, _ logprob: Float, _ hasBytes: Bool) -> JSONObject {
        guard hasBytes else { return ["token": .string(name(id)), "logprob": number(logprob)] }
        let bytes = names.bytes(of: id).map { JSONValue.array($0.map { .integer(Int($0)) }) } ?? .null
        return ["token": .string(name(id)), "logprob": number(logprob), "bytes": bytes]
    }

    /// Returns the `prompt_logprobs`: null for the first token, then for each token an object with the token itself and the
    /// `count` most probable ones, by id.
    func promptJSON(of tokens: [ScoredToken], top count: Int) -> JSONValue {
        list(tokens) { token in
            guard let logprobs = token.logprobs else { return .null }
            var object = JSONObject()
            for (index, entry) in logprobs.top.prefix(count).enumerated() {
                object[String(entry.id)] = rankedEntry(entry.id, entry.logprob, rank: index + 1)
            }
            object[String(token.id)] = rankedEntry(token.id, logprobs.logprob, rank: logprobs.rank)
            return .object(object)
        }
    }

    private func rankedEntry(_ id: Int32, _ logprob: Float, rank: Int) -> JSONValue {
        ["logprob": number(logprob), "rank": .integer(rank), "decoded_token": .string(names.text(of: id))]
    }

    private func name(_ id: Int32) -> String {
        namesTokensByID ? TokenNames.idsOnly.text(of: id) : names.text(of: id)
    }

    /// Limits the value to -9999, because JSON has no infinities. Clients take it as "impossible".
    private func number(_ logprob: Float) -> JSONValue {
        .double(Double(max(logprob, -9999)))
    }
}
