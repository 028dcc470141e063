import HTTP

/// The endpoints about models.
extension Routes {
    /// `GET /v1/models`.
    func sendModels(_ request: RoutedRequest) {
        withServing(request.exchange) { serving in
            let isAnthropic = request.message.head.isFromAnthropicClient
            reply(request.exchange, isAnthropic ? serving.model.anthropicListJSON : serving.model.listJSON)
        }
    }

    /// `GET /v1/models/{model}`.
    func sendModel(_ request: RoutedRequest) {
        withServing(request.exchange) { serving in
            do throws(APIError) {
                let isAnthropic = request.message.head.isFromAnthropicClient
                reply(request.exchange, try serving.model.json(named: request.match.argument, isAnthropic: isAnthropic))
            } catch {
                refuse(request.exchange, error)
            }
        }
    }

    /// `GET /tokenizer_info`.
    func sendTokenizerInfo(_ request: RoutedRequest) {
        withServing(request.exchange) { serving in
            guard let text = serving.text else { return refuse(request.exchange, .notFound(path: request.path)) }
            reply(request.exchange, text.tokenizerInfo(of: serving.model))
        }
    }
}
