import Web

/// The requests to the Hub, and the errors for its replies.
struct HubAPI: Sendable {
    let endpoint: String
    private let hasToken: Bool
    private let client: WebClient

    /// - Parameters:
    ///   - settings: the Hub's address, the token and the proxies.
    ///   - mustStop: called often, by several threads; requests end when it returns true.
    /// - Throws: `HubError.setting` for an endpoint, a time or a token that cannot be used.
    init(_ settings: HubSettings, mustStop: @escaping @Sendable () -> Bool = { false }) throws(HubError) {
        let home = try settings.endpoint()
        endpoint = home.text
        let token = try settings.readToken()
        hasToken = token != nil
        client = WebClient(
            home: home.address, token: token, proxies: settings.proxies, silence: try settings.silence(),
            mustStop: mustStop)
    }

    /// Returns the URL of the description of a revision and its files.
    func listingURL(_ reference: HubReference) -> String {
        let revision = WebAddress.encode(reference.revisionOrMain, isPath: false)
        return "\(endpoint)/api/models/\(reference.repository)/revision/\(revision)?blobs=true"
    }

    /// Returns the URL of a file's content.
    func fileURL(_ path: String, commit: String, of repository: String) -> String {
        "\(endpoint)/\(repository)/resolve/\(commit)/\(WebAddress.encode(path, isPath: true))"
    }

    /// Requests the files of a revision.
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
    ///   - reference: the model, for error messages.
    ///   - file: the path of the file, for error messages; `nil` for a description.
    ///   - offset: the offset of the first requested byte.
    /// - Returns: a reply with status 200 or, if `offset` is not 0, also 206 or 416.
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
