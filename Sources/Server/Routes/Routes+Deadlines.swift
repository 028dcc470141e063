import HTTP

/// The deadlines of requests.
extension Routes {
    /// Sets an earlier deadline. If an exchange has no reply by then, it gets 504, regardless of the state of its work.
    func deadlineKnown(_ exchange: ExchangeID, _ deadline: ContinuousClock.Instant) {
        guard let request = requests[exchange], request.deadline.map({ deadline < $0 }) ?? true else { return }
        requests[exchange]?.deadline = deadline
        actions.append(.startTimer(.deadline(exchange), after: max(.zero, deadline - now())))
    }

    /// Aborts an exchange whose deadline has passed.
    func checkDeadline(_ exchange: ExchangeID) {
        guard let request = requests[exchange] else { return }
        let isPreparing = preparing[exchange] != nil
        let due = [request.deadline, isPreparing ? request.preparationDeadline : nil].compactMap(\.self).min()
        guard let due, due <= now() else { return }
        if isPreparing {
            actions.append(.cancelPreparation(exchange))
            if request.status == nil { refuse(exchange, .deadlineExceeded) }
        } else {
            fail(exchange, .deadlineExceeded)
        }
    }
}
