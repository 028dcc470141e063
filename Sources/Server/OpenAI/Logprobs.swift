import Engine
import Text

/// A token of a prompt or a reply, and how likely it was; nothing is known of a prompt's first one.
struct ScoredToken: Sendable {
    var id: Int32
    var logprobs: TokenLogprobs?
}

extension GeneratedToken {
    var scored: ScoredToken { ScoredToken(id: id, logprobs: logprobs) }
}

/// Log-probabilities of tokens in the form of either endpoint.
///
/// The same number is printed wherever the same token stands at the same position: evaluation programs compare a
/// token's own entry with the alternatives for equality.
struct Logprobs {
    let names: TokenNames
    /// Whether special tokens are left out of the choices' texts.
    let skipsSpecialTokens: Bool
    /// Whether tokens are named `token_id:N`.
    var namesTokensByID = false

    /// Bytes of an alternative's value in the form that has most: three members, one of them a list of the token's bytes.
    private static let entryBytes = 512

    /// About what a token's log-probabilities take, with the values that are made of them.
    static func memoryBytes(_ logprobs: TokenLogprobs) -> Int {
        MemoryLayout<TokenLogprobs>.stride + RequestMemory.header
            + logprobs.top.count * MemoryLayout<TokenLogprob>.stride + (logprobs.top.count + 1) * entryBytes
    }

    /// The `logprobs` of a choice, or of the part of it that one chunk carries.
    ///
    /// - Parameter position: where the first token's text begins; moved past the last token.
    func json(of tokens: [ScoredToken], endpoint: Endpoint, position: inout TextPosition) -> JSONValue {
        endpoint.isChat ? chatJSON(of: tokens) : completionJSON(of: tokens, position: &position)
    }

    private func completionJSON(of tokens: [ScoredToken], position: inout TextPosition) -> JSONValue {
        var texts: [JSONValue] = []
        var logprobs: [JSONValue] = []
        var tops: [JSONValue] = []
        var offsets: [JSONValue] = []
        for token in tokens {
            let text = name(token.id)
            texts.append(.string(text))
            logprobs.append(token.logprobs.map { number($0.logprob) } ?? .null)
            tops.append(token.logprobs.map { .object(top($0, sampled: token.id)) } ?? .null)
            offsets.append(.integer(position.offset))
            if !skipsSpecialTokens || !names.isSpecial(token.id) {
                position.advance(past: names.bytes(of: token.id) ?? [])
            }
        }
        return [
            "tokens": .array(texts), "token_logprobs": .array(logprobs), "top_logprobs": .array(tops),
            "text_offset": .array(offsets),
        ]
    }

    /// Alternatives by text, the sampled token always among them; of two ids with the same text the likelier counts.
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

    private func chatJSON(of tokens: [ScoredToken]) -> JSONValue {
        let content: [JSONValue] = tokens.map { token in
            var entry = self.entry(token.id, token.logprobs?.logprob ?? -.infinity)
            let top = token.logprobs?.top ?? []
            entry["top_logprobs"] = .array(top.map { .object(self.entry($0.id, $0.logprob)) })
            return .object(entry)
        }
        return ["content": .array(content), "refusal": nil]
    }

    private func entry(_ id: Int32, _ logprob: Float) -> JSONObject {
        let bytes = names.bytes(of: id).map { JSONValue.array($0.map { .integer(Int($0)) }) } ?? .null
        return ["token": .string(name(id)), "logprob": number(logprob), "bytes": bytes]
    }

    /// A prompt's tokens as `prompt_logprobs` lists them: null for the first, then for each an object with the token itself
    /// and the `count` most probable ones by id.
    func promptJSON(of tokens: [ScoredToken], top count: Int) -> JSONValue {
        .array(
            tokens.map { token in
                guard let logprobs = token.logprobs else { return .null }
                var object = JSONObject()
                for (index, entry) in logprobs.top.prefix(count).enumerated() {
                    object[String(entry.id)] = rankedEntry(entry.id, entry.logprob, rank: index + 1)
                }
                object[String(token.id)] = rankedEntry(token.id, logprobs.logprob, rank: logprobs.rank)
                return .object(object)
            })
    }

    private func rankedEntry(_ id: Int32, _ logprob: Float, rank: Int) -> JSONValue {
        ["logprob": number(logprob), "rank": .integer(rank), "decoded_token": .string(names.text(of: id))]
    }

    private func name(_ id: Int32) -> String {
        namesTokensByID ? TokenNames.idsOnly.text(of: id) : names.text(of: id)
    }

    /// JSON has no infinities; clients know -9999 as "impossible".
    private func number(_ logprob: Float) -> JSONValue {
        .double(Double(max(logprob, -9999)))
    }
}
