import Engine
import Scheduling

extension GenerationOptions {
    /// Returns the sequences to generate. The sequence of prompt p and candidate c has the number `p * candidates + c`, and ids
    /// start with `firstID`. Without `best_of`, the number is also the `index` of the choice in the reply.
    ///
    /// - Parameters:
    ///   - promptIDs: the prompts, (prompts, tokens).
    ///   - deadline: the time at which the sequences are aborted.
    ///   - generator: the source of seeds for requests without one.
    /// - Throws: if a prompt is empty or leaves no room, or if more tokens are requested than fit.
    func generationRequests(
        promptIDs: [[Int32]], firstID: SequenceID, endpoint: Endpoint, model: ServedModel,
        deadline: ContinuousClock.Instant? = nil, using generator: inout some RandomNumberGenerator
    ) throws(APIError) -> [GenerationRequest] {
        var requests: [GenerationRequest] = []
        requests.reserveCapacity(promptIDs.count * candidates)
        for (prompt, ids) in promptIDs.enumerated() {
            let param =
                promptIDs.count == 1 ? endpoint.promptParameter : "\(endpoint.promptParameter)[\(prompt)]"
            let maxTokens = try maxTokens(promptTokens: ids.count, param: param, endpoint: endpoint, model: model)
            var sampling = sampling
            sampling.seed = seed.map { UInt64(bitPattern: Int64($0)) } ?? generator.next()
            for choice in 0..<candidates {
                sampling.choice = choice
                var request = GenerationRequest(
                    id: SequenceID(firstID.rawValue + UInt64(requests.count)), promptIDs: ids, sampling: sampling,
                    stop: stop, maxTokens: maxTokens, logprobs: engineLogprobs)
                request.promptLogprobs = enginePromptLogprobs
                request.detokenizes = model.hasTokenizer
                request.skipsSpecialTokens = skipsSpecialTokens
                request.keptSpecialTokens = keptSpecialTokens
                request.embedsPrompt = embedsPrompts
                request.priority = priority
                request.cacheSalt = Array(cacheSalt.utf8)
                request.deadline = deadline
                request.speculates = speculates
                request.thinking = thinking
                request.grammar = grammar
                request.reportsProgress = returnsProgress && streaming != nil
                requests.append(request)
            }
        }
        return requests
    }

    /// The prompt as ``truncation`` cuts it.
    func truncated(_ ids: [Int32], for model: ServedModel) -> [Int32] {
        guard let truncation else { return ids }
        let tokens = truncation.tokens ?? max(model.maxModelLength - (maxTokens ?? 1), 1)
        return Array(truncation.keepsEnd ? ids.suffix(tokens) : ids.prefix(tokens))
    }

    /// The error for a grammar that exceeds a bound during generation.
    func grammarLimit(_ limit: String) -> APIError {
        let param = structuredOutput?.param ?? "tools"
        return .invalid(param: param, message: "'\(param)' \(limit).")
    }

    /// The number of alternatives to compute. Candidates are compared by log-probabilities, even if the reply does not have them.
    private var engineLogprobs: Int? {
        logprobs ?? (candidates > choices ? 0 : nil)
    }

    /// The number of alternatives to compute for prompt tokens: the maximum that `echo` and `prompt_logprobs` need.
    private var enginePromptLogprobs: Int? {
        [echoesPrompt ? logprobs : nil, promptLogprobs].compactMap(\.self).max()
    }

    /// The token limit of one prompt's completions.
    private func maxTokens(
        promptTokens: Int, param: String, endpoint: Endpoint, model: ServedModel
    ) throws(APIError) -> Int {
        guard promptTokens > 0 else {
            throw .invalid(param: param, message: "'\(param)' must contain at least one token.")
        }
        let limit = model.maxModelLength
        let room = limit - promptTokens
        var maxTokens = maxTokens
        if clampsMaxTokens { maxTokens = maxTokens.map { min($0, max(room, 1)) } }
        guard room >= 0, maxTokens ?? 1 <= room else {
            throw .contextLengthExceeded(
                param: param, promptTokens: promptTokens, maxTokens: clampsMaxTokens ? nil : maxTokens, limit: limit)
        }
        let result = maxTokens ?? min(fillsContext ? room : endpoint.defaultMaxTokens ?? room, room)
        guard sampling.minTokens <= result else {
            throw .invalid(
                param: "min_tokens",
                message: "'min_tokens' must be at most the token limit, \(result), not \(sampling.minTokens).")
        }
        return result
    }
}
