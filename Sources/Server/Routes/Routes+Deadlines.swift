import HTTP

/// When requests must have been answered.
extension Routes {
    /// An exchange that has not been answered by `deadline` gets a 504, whatever becomes of its work.
    func deadlineKnown(_ exchange: ExchangeID, _ deadline: ContinuousClock.Instant) {
        guard let request = requests[exchange], request.deadline.map({ deadline < $0 }) ?? true else { return }
        requests[exchange]?.deadline = deadline
        actions.append(.startTimer(.deadline(exchange), after: max(.zero, deadline - now())))
    }

    /// Gives up an exchange whose time is over.
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
