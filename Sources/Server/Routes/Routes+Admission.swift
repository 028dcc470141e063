import HTTP
import HTTPTypes

/// Checks whether a request is accepted, before any work is done for it.
extension Routes {
    /// Returns the route of a request that passes the checks; nil if it got another reply.
    func admit(_ message: HTTPMessage, _ exchange: ExchangeID) -> RouteMatch? {
        let path = message.head.pathWithoutQuery
        let match = RouteMatch(path: path)
        begin(message, path: path, match?.route, exchange)
        do throws(APIError) {
            guard let match else { throw .notFound(path: path) }
            if let error = screening.originRefusal(of: message.head, match.route) { throw error }
            // A browser sends preflight requests without a key.
            if let preflight = configuration.cors?.preflight(message.head, allowing: match.route.methods) {
                requests[exchange]?.replyFields = [:]
                reply(exchange, .noContent, preflight, [])
                return nil
            }
            try check(message, match.route, exchange)
            return match
        } catch {
            refuse(exchange, error)
            return nil
        }
    }

    /// Records the head of a request.
    private func begin(_ message: HTTPMessage, path: String, _ route: Route?, _ exchange: ExchangeID) {
        var context = RequestContext(
            id: RequestID(message.head.headerFields, from: &requestIDs), method: message.head.method, route: route)
        switch route {
        // Both APIs have these paths.
        case .models, .model, nil: context.isAnthropic = message.head.isFromAnthropicClient
        case let route?: context.isAnthropic = route.isAnthropic
        }
        if let cors = configuration.cors { context.replyFields = cors.fields(for: message.head) }
        requests[exchange] = context
        accessLog.begin(exchange, message, path: path, isProbe: route?.isProbe == true, requestID: context.id)
    }

    /// - Throws: the `APIError` of a request whose key, method, type of the body or rate is not accepted.
    private func check(_ message: HTTPMessage, _ route: Route, _ exchange: ExchangeID) throws(APIError) {
        let method = message.head.method
        func notAllowed() -> APIError {
            .methodNotAllowed(method: method.rawValue, allowed: route.methods.map(\.rawValue))
        }
        // Checked before the key, because the key is not the problem of a preflight request whose origin is not allowed.
        if method == .options { throw notAllowed() }
        var limits = configuration.rateLimits
        if route.needsKey(configuration), !keys.isEmpty {
            let fields = message.head.headerFields
            guard let key = keys.key(in: fields) else { throw .unauthorized(isMissing: !APIKeys.isGiven(in: fields)) }
            requests[exchange]?.key = key.name
            requests[exchange]?.minimumPriority = key.limits.minimumPriority ?? 0
            limits = key.limits.filled(from: limits)
            accessLog.admitted(exchange, key: key.name)
        }
        guard route.methods.contains(method) else { throw notAllowed() }
        if let error = screening.bodyRefusal(of: message.head, route) { throw error }
        // A 503 because the model is not loaded does not count against the limits.
        if case .ready = state.phase, route.prepares { try takeRequest(exchange, limits) }
    }

    /// Counts a request against its key's limits.
    ///
    /// - Throws: the `APIError` of limits that are reached.
    private func takeRequest(_ exchange: ExchangeID, _ limits: RateLimits) throws(APIError) {
        let key = requests[exchange]?.key ?? RateLimiter.nobody
        let standing = rateLimiter.admit(key, limits, now: now())
        requests[exchange]?.replyFields.append(contentsOf: standing.fields)
        guard let wait = standing.retryAfter, let exhausted = standing.exhausted else { return }
        metrics.rateLimited.add(label: exhausted.rawValue)
        let limit = exhausted == .requests ? standing.requests?.limit : standing.tokens?.limit
        throw .rateLimited(exhausted, limit: limit ?? 0, retryAfter: Int(saturating: wait.rounded(.up)))
    }
}

extension ServerConfiguration {
    /// Returns the function that connections call before they read a body, to get the account to charge. The account is `nil` if
    /// no endpoint takes the body, the key is not known, or the request's origin or the type of the body is refused.
    func bodyAccount(_ keys: KeyRing) -> @Sendable (HTTPRequest) -> MemoryBudget.Account? {
        let screening = RequestScreening(self, keys: keys)
        return { request in
            guard let route = RouteMatch(path: request.pathWithoutQuery)?.route, route.methods.contains(request.method)
            else { return nil }
            guard screening.originRefusal(of: request, route) == nil, screening.bodyRefusal(of: request, route) == nil
            else { return nil }
            guard route.needsKey(self), !keys.isEmpty else { return .common }
            return keys.key(in: request.headerFields).map { .owner($0.name) }
        }
    }
}
