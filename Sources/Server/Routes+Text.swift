import HTTP
import HTTPTypes

/// The endpoints about text and tokens: bounded like requests that generate, and answered off the loop.
extension Routes {
    func answer(
        _ endpoint: TextEndpoint, _ message: HTTPMessage, _ exchange: ExchangeID, on loop: isolated EventLoop
    ) {
        withServing(exchange, on: loop) { serving in
            guard active.reserve() else { return refuse(exchange, overload(.places), on: loop) }
            let reply = TextReply(endpoint: endpoint, model: serving.model, text: serving.text)
            let body = message.body
            let charge = message.charge
            preparations[exchange] = Task {
                // The body is charged until it is answered.
                defer { charge?.release() }
                let result: Result<[UInt8], APIError>
                do throws(APIError) {
                    result = .success(try await reply.answer(body))
                } catch {
                    result = .failure(error)
                }
                finish(exchange, result, on: loop)
            }
        }
    }

    private func finish(
        _ exchange: ExchangeID, _ result: Result<[UInt8], APIError>, on loop: isolated EventLoop
    ) {
        active.release()
        preparations[exchange] = nil
        // The client may have left meanwhile.
        guard requests[exchange] != nil else { return finishDrainIfIdle(on: loop) }
        switch result {
        case .success(let body): reply(exchange, .ok, [.contentType: "application/json"], body, on: loop)
        case .failure(let error): refuse(exchange, error, on: loop)
        }
    }
}
