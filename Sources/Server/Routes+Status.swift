import HTTP
import HTTPTypes
import JSON

/// The endpoints that say what the server is and how it does, under the names of other servers.
extension Routes {
    /// `GET /ping`, SageMaker's probe: whether requests are served.
    func ready(_ exchange: ExchangeID) {
        if isStalled { return refuse(exchange, .stalled(retryAfter: 10)) }
        withServing(exchange) { _ in
            reply(exchange, .ok, ServerStatus.fields, ServerStatus.ready)
        }
    }

    /// `GET /load`, vLLM's form: the requests with a body that have not been answered. O(open requests).
    func load(_ exchange: ExchangeID) {
        let open = requests.values.reduce(0) { $0 + ($1.route?.prepares == true ? 1 : 0) }
        reply(exchange, ["server_load": .integer(open)])
    }

    /// `GET /props`, llama-server's form, as far as it applies.
    func properties(_ exchange: ExchangeID) {
        withServing(exchange) { serving in
            reply(
                exchange,
                serving.properties(
                    slots: configuration.engine.maxSequences,
                    folder: configuration.engine.modelDirectory.lastPathComponent))
        }
    }

    /// `GET /openapi.json` and `GET /openapi.yaml`.
    func describe(_ exchange: ExchangeID, asYAML: Bool) {
        let (type, body) =
            asYAML ? ("application/yaml", OpenAPIDocument.yaml) : ("application/json", OpenAPIDocument.json)
        reply(exchange, .ok, [.contentType: type], body)
    }
}

extension Serving {
    /// - Parameters:
    ///   - slots: sequences that run at the same time.
    ///   - folder: the name of the model's folder; where that lies is nobody's concern.
    fileprivate func properties(slots: Int, folder: String) -> JSONValue {
        let sampling = model.samplingDefaults
        let info = text?.tokenizerInfo(of: model)
        return [
            "default_generation_settings": [
                "n_ctx": .integer(model.maxModelLength),
                "params": [
                    "temperature": .double(Double(sampling.temperature)), "top_k": .integer(sampling.topK),
                    "top_p": .double(Double(sampling.topP)), "min_p": .double(Double(sampling.minP)),
                    "repeat_penalty": .double(Double(sampling.repetitionPenalty)),
                    "presence_penalty": .double(Double(sampling.presencePenalty)),
                    "frequency_penalty": .double(Double(sampling.frequencyPenalty)),
                ],
            ],
            "total_slots": .integer(slots), "model_alias": .string(model.name), "model_path": .string(folder),
            "modalities": ["vision": false, "audio": false],
            "chat_template": info?["chat_template"] ?? .null, "bos_token": info?["bos_token"] ?? .null,
            "eos_token": info?["eos_token"] ?? .null, "build_info": .string("trinity \(Application.version)"),
        ]
    }
}
