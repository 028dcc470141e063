import Scheduling

/// A prompt that the engine has checked and hashed once for all its choices, so that the cost of admitting another choice does not
/// grow with the prompt.
struct AdmittedPrompt {
    private let ids: [Int32]
    private let cacheSalt: [UInt8]
    /// The prompt in the form that the scheduler uses.
    let shared: SharedPrompt
    /// The distinct token ids, or `nil` until they are needed.
    private var distinct: Set<Int32>?

    /// - Throws: `RequestError.empty` or `.unknownToken` if the prompt is empty or has an id that the model does not have.
    init(_ request: GenerationRequest, _ scheduler: Scheduler, vocabularySize: Int) throws(RequestError) {
        let known = Int32(0)..<Int32(vocabularySize)
        guard !request.promptIDs.isEmpty else { throw .empty }
        // A tokenizer may have more tokens than the model's embedding has rows.
        if let id = request.promptIDs.first(where: { !known.contains($0) }) {
            throw .unknownToken(id, vocabularySize: vocabularySize)
        }
        (ids, cacheSalt) = (request.promptIDs, request.cacheSalt)
        shared = scheduler.share(ids, cacheSalt: cacheSalt)
    }

    /// Returns whether this is the prompt of `request`. O(1) for choices of one request, whose ids share one array.
    func isPrompt(of request: GenerationRequest) -> Bool {
        ids == request.promptIDs && cacheSalt == request.cacheSalt
    }

    /// Returns the token counts that sampling for `request` needs.
    mutating func counts(for request: GenerationRequest) -> TokenCounts {
        guard request.sampling.hasPenalties else { return TokenCounts(for: request.sampling, prompt: []) }
        let distinct = self.distinct ?? Set(ids)
        self.distinct = distinct
        return TokenCounts(for: request.sampling, prompt: distinct)
    }
}
