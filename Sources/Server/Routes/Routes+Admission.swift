import HTTP
import HTTPTypes

/// Who is let in, before anything is done for a request.
extension Routes {
    /// Where a request that may have an answer leads; nil: it got another one.
    func admit(_ message: HTTPMessage, _ exchange: ExchangeID) -> RouteMatch? {
        let fields = message.head.headerFields
        let path = message.head.pathWithoutQuery
        let match = RouteMatch(path: path)
        let route = match?.route
        var context = RequestContext(
            id: RequestID(fields, from: &requestIDs), method: message.head.method, route: route,
            isAnthropic: route?.isAnthropic == true)
        if let cors = configuration.cors { context.replyFields = cors.fields(for: message.head) }
        requests[exchange] = context
        accessLog.begin(exchange, message, path: path, isProbe: route?.isProbe == true, requestID: context.id)
        guard let match, let route else {
            refuse(exchange, .notFound(path: path))
            return nil
        }
        if let error = screening.originRefusal(of: message.head, route) {
            refuse(exchange, error)
            return nil
        }
        // A browser asks without the key.
        if let preflight = configuration.cors?.preflight(message.head, allowing: route.methods) {
            requests[exchange]?.replyFields = [:]
            reply(exchange, .noContent, preflight, [])
            return nil
        }
        // So does one whose page this server does not know: what is wrong is not the key.
        if message.head.method == .options {
            refuse(exchange, .methodNotAllowed(method: "OPTIONS", allowed: route.methods.map(\.rawValue)))
            return nil
        }
        var limits = configuration.rateLimits
        if route.needsKey(configuration), !keys.isEmpty {
            guard let key = keys.key(in: fields) else {
                refuse(exchange, .unauthorized(isMissing: !APIKeys.isGiven(in: fields)))
                return nil
            }
            requests[exchange]?.key = key.name
            requests[exchange]?.minimumPriority = key.limits.minimumPriority ?? 0
            limits = key.limits.filled(from: limits)
            accessLog.admitted(exchange, key: key.name)
        }
        guard route.methods.contains(message.head.method) else {
            let allowed = route.methods.map(\.rawValue)
            refuse(exchange, .methodNotAllowed(method: message.head.method.rawValue, allowed: allowed))
            return nil
        }
        if let error = screening.bodyRefusal(of: message.head, route) {
            refuse(exchange, error)
            return nil
        }
        // What is answered 503 because the model is not there costs nothing.
        if case .ready = state.phase, route.prepares, !takeRequest(exchange, limits) { return nil }
        return match
    }

    /// Counts a request against its key's limits; false: they are reached, and it was told.
    private func takeRequest(_ exchange: ExchangeID, _ limits: RateLimits) -> Bool {
        guard let key = requests[exchange]?.key else { return false }
        let standing = rateLimiter.admit(key, limits, now: now())
        requests[exchange]?.replyFields.append(contentsOf: standing.fields)
        guard let wait = standing.retryAfter, let exhausted = standing.exhausted else { return true }
        metrics.rateLimited.add(label: exhausted.rawValue)
        let limit = exhausted == .requests ? standing.requests?.limit : standing.tokens?.limit
        refuse(
            exchange,
            .rateLimited(exhausted, limit: limit ?? 0, retryAfter: Int(saturating: wait.rounded(.up))))
        return false
    }
}

extension ServerConfiguration {
    /// What the connections ask before they read a body: on whose account. `nil` where there is nothing that takes it, no key
    /// that is known, or a body of a form that is not taken.
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
