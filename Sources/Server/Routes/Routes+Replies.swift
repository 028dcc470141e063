import HTTP
import HTTPTypes
import JSON

/// Starting and writing replies.
extension Routes {
    /// Runs `body` if the model is loaded; otherwise replies with 503.
    func withServing(_ exchange: ExchangeID, _ body: (Serving) -> Void) {
        do throws(APIError) {
            body(try state.ready())
        } catch {
            refuse(exchange, error)
        }
    }

    func refuse(_ exchange: ExchangeID, _ error: APIError) {
        accessLog.failed(exchange, error)
        let body =
            requests[exchange]?.isAnthropic == true
            ? error.anthropicJSON(requestID: requests[exchange]?.id.description ?? "") : error.json
        reply(exchange, error.status, error.headerFields, body.serialized)
    }

    func reply(_ exchange: ExchangeID, _ body: JSONValue) {
        reply(exchange, .ok, [.contentType: "application/json"], body.serialized)
    }

    func reply(
        _ exchange: ExchangeID, _ status: HTTPResponse.Status, _ fields: HTTPFields, _ body: [UInt8]
    ) {
        actions.append(.respond(exchange, head(exchange, status, fields), body: body))
    }

    /// The head of a reply, with the request's id and the fields for its key and origin.
    func head(_ exchange: ExchangeID, _ status: HTTPResponse.Status, _ fields: HTTPFields) -> HTTPResponse {
        accessLog.answered(exchange, status: status)
        var fields = fields
        if let index = requests.index(forKey: exchange) {
            requests.values[index].status = status
            let request = requests.values[index]
            if let name = RequestID.field { fields.append(HTTPField(name: name, value: request.id.description)) }
            if !request.replyFields.isEmpty { fields.append(contentsOf: request.replyFields) }
        }
        return HTTPResponse(status: status, headerFields: fields)
    }
}
