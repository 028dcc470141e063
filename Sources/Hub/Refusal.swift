/// A reply with an unexpected status.
struct Refusal {
    let status: Int
    /// The header fields, by lowercase name.
    let fields: [String: String]
    let url: String

    private static let mostReason = 200

    /// Returns the error that the reply means. The Hub gives the reason in a header field of its own.
    func attempt(for reference: HubReference, file: String?, endpoint: String, hasToken: Bool) -> FailedAttempt {
        let isTransient = status == 429 || status == 408 || status >= 500
        return FailedAttempt(
            error: error(reference, file: file, endpoint: endpoint, hasToken: hasToken),
            isTransient: isTransient, pause: isTransient ? pause : nil)
    }

    private func error(
        _ reference: HubReference, file: String?, endpoint: String, hasToken: Bool
    ) -> HubError {
        let repository = reference.repository
        let missing = HubError.noRepository(repository, endpoint: endpoint, hasToken: hasToken)
        switch (status, fields["x-error-code"]) {
        case (400...499, "GatedRepo"): return .gated(repository, endpoint: endpoint, hasToken: hasToken)
        case (400...499, "RevisionNotFound"): return .noRevision(reference.revisionOrMain, repository: repository)
        case (400...499, "EntryNotFound"): return .noFile(file ?? "", repository: repository)
        case (400...499, "RepoNotFound"): return missing
        // The Hub sends this even for repositories that need no token.
        case (401, _) where hasToken && reason.hasPrefix("Invalid"): return .badToken(endpoint: endpoint)
        case (401, _): return missing
        case (404, _) where file == nil: return missing
        case (404, _): return .noFile(file ?? "", repository: repository)
        default: return .status(status, url: url, reason: reason)
        }
    }

    /// The server's message, reduced to printable ASCII.
    private var reason: String {
        String((fields["x-error-message"] ?? "").filter { ("\u{20}"..."\u{7E}").contains($0) }.prefix(Self.mostReason))
    }

    /// The requested pause: Retry-After in seconds, or the time in the Hub's RateLimit field, such as `"api";r=0;t=55`.
    private var pause: Duration? {
        let limit = fields["ratelimit"]?.split(separator: ";").first { $0.hasPrefix("t=") }?.dropFirst(2)
        guard let seconds = fields["retry-after"].flatMap(Int.init) ?? limit.flatMap({ Int($0) }), seconds >= 0 else {
            return nil
        }
        return .seconds(min(seconds, 1 << 30))
    }
}
