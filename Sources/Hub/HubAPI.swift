import Web

/// The requests to the Hub, and what its refusals mean.
struct HubAPI: Sendable {
    let endpoint: String
    private let hasToken: Bool
    private let client: WebClient

    /// - Parameters:
    ///   - settings: the Hub's address, the token and the proxies.
    ///   - mustStop: called often, by several threads; once it returns true, requests end.
    /// - Throws: `HubError.setting` if the endpoint is no URL.
    init(_ settings: HubSettings, mustStop: @escaping @Sendable () -> Bool = { false }) throws(HubError) {
        guard let home = WebAddress(settings.endpoint) else {
            throw .setting("HF_ENDPOINT", reason: "must be a URL with http or https; got '\(settings.endpoint)'")
        }
        endpoint = settings.endpoint
        hasToken = settings.token != nil
        client = WebClient(
            home: home, token: settings.token, proxies: settings.proxies, silence: settings.silence, mustStop: mustStop)
    }

    /// The URL that describes a revision and its files.
    func listingURL(_ reference: HubReference) -> String {
        let revision = WebAddress.encode(reference.revisionOrMain, isPath: false)
        return "\(endpoint)/api/models/\(reference.repository)/revision/\(revision)?blobs=true"
    }

    /// The URL of a file's content.
    func fileURL(_ path: String, commit: String, of repository: String) -> String {
        "\(endpoint)/\(repository)/resolve/\(commit)/\(WebAddress.encode(path, isPath: true))"
    }

    /// The files of a revision.
    func listing(_ reference: HubReference, retries: Retries) throws(HubError) -> RepositoryListing {
        var retries = retries
        while true {
            let answer: [UInt8]
            do throws(FailedAttempt) {
                let reply = try open(listingURL(reference), for: reference, file: nil)
                do throws(WebError) {
                    answer = try reply.body(atMost: RepositoryListing.largestAnswer)
                } catch {
                    throw failed(error)
                }
            } catch {
                try retries.pause(after: error)
                continue
            }
            return try RepositoryListing(answer, of: reference)
        }
    }

    /// Requests `url`.
    ///
    /// - Parameters:
    ///   - reference: the model, for errors.
    ///   - file: the path of the file, for errors; `nil` for a description.
    ///   - offset: the first byte that is wanted.
    /// - Returns: a reply with status 200, or with an offset also 206 or 416.
    func open(
        _ url: String, for reference: HubReference, file: String?, from offset: Int = 0
    ) throws(FailedAttempt) -> WebReply {
        guard let address = WebAddress(url) else { preconditionFailure("the parts of a URL are encoded") }
        let reply: WebReply
        do throws(WebError) {
            reply = try client.get(address, from: offset)
        } catch {
            throw failed(error)
        }
        if reply.status == 200 || offset > 0 && [206, 416].contains(reply.status) { return reply }
        throw Refusal(status: reply.status, fields: reply.fields, url: reply.address.withoutQuery)
            .attempt(for: reference, file: file, endpoint: endpoint, hasToken: hasToken)
    }

    func failed(_ error: WebError) -> FailedAttempt {
        let reason = error == .stopped ? HubError.cancelled : .unreachable(error, endpoint: endpoint)
        return FailedAttempt(error: reason, isTransient: error.isTransient)
    }
}
