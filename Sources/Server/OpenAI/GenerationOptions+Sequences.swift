import Engine
import Scheduling

extension GenerationOptions {
    /// The sequences to generate: for prompt p and choice c number `p * n + c`, which is also the `index` of the
    /// choice in the reply, with ids that count up from `firstID`.
    ///
    /// - Parameters:
    ///   - promptIDs: the prompts, (prompts, tokens).
    ///   - deadline: when they are aborted.
    ///   - generator: where a prompt's seed comes from when the request gives none.
    /// - Throws: an empty prompt, a prompt that leaves no room, or more tokens than fit.
    func generationRequests(
        promptIDs: [[Int32]], firstID: SequenceID, endpoint: Endpoint, model: ServedModel,
        deadline: ContinuousClock.Instant? = nil, using generator: inout some RandomNumberGenerator
    ) throws(APIError) -> [GenerationRequest] {
        var requests: [GenerationRequest] = []
        requests.reserveCapacity(promptIDs.count * choices)
        for (prompt, ids) in promptIDs.enumerated() {
            let param =
                promptIDs.count == 1 ? endpoint.promptParameter : "\(endpoint.promptParameter)[\(prompt)]"
            let maxTokens = try maxTokens(promptTokens: ids.count, param: param, endpoint: endpoint, model: model)
            var sampling = sampling
            sampling.seed = seed.map { UInt64(bitPattern: Int64($0)) } ?? generator.next()
            for choice in 0..<choices {
                sampling.choice = choice
                var request = GenerationRequest(
                    id: SequenceID(firstID.rawValue + UInt64(requests.count)), promptIDs: ids, sampling: sampling,
                    stop: stop, maxTokens: maxTokens, logprobs: logprobs)
                request.detokenizes = model.hasTokenizer
                request.skipsSpecialTokens = skipsSpecialTokens
                request.priority = priority
                request.deadline = deadline
                requests.append(request)
            }
        }
        return requests
    }

    /// The token limit of one prompt's completions, at least 1.
    private func maxTokens(
        promptTokens: Int, param: String, endpoint: Endpoint, model: ServedModel
    ) throws(APIError) -> Int {
        guard promptTokens > 0 else {
            throw .invalid(param: param, message: "'\(param)' must hold at least one token.")
        }
        let limit = model.maxModelLength
        let room = limit - promptTokens
        guard room > 0, maxTokens ?? 1 <= room else {
            throw .contextLengthExceeded(
                param: param, promptTokens: promptTokens, maxTokens: maxTokens, limit: limit)
        }
        let result = maxTokens ?? min(endpoint.defaultMaxTokens ?? room, room)
        guard sampling.minTokens <= result else {
            throw .invalid(
                param: "min_tokens",
                message: "'min_tokens' must be at most the token limit, \(result), not \(sampling.minTokens).")
        }
        return result
    }
}
