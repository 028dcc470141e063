import HTTP
import HTTPTypes
import JSON

/// Endpoints about the server and its state, some under the names of other servers.
extension Routes {
    /// `GET /health`: whether the process responds and the engine makes progress.
    func sendHealth(_ request: RoutedRequest) {
        if isStalled { return refuse(request.exchange, .stalled(retryAfter: 10)) }
        reply(request.exchange, .ok, ServerStatus.fields, ServerStatus.health)
    }

    /// `GET /ready`, and `GET /ping`, SageMaker's probe: whether requests are served.
    func sendReadiness(_ request: RoutedRequest) {
        if isStalled { return refuse(request.exchange, .stalled(retryAfter: 10)) }
        withServing(request.exchange) { _ in
            reply(request.exchange, .ok, ServerStatus.fields, ServerStatus.ready)
        }
    }

    /// `GET /version`.
    func sendVersion(_ request: RoutedRequest) {
        let model = state.loadedModel
        reply(
            request.exchange,
            ServerStatus.version(Application.version, kernels: model?.kernels, threads: model?.threads))
    }

    /// `GET /load`, vLLM's form: the number of requests with a body that have no complete reply. O(open requests).
    func sendLoad(_ request: RoutedRequest) {
        let open = requests.values.reduce(0) { $0 + ($1.route?.prepares == true ? 1 : 0) }
        reply(request.exchange, ["server_load": .integer(open)])
    }

    /// `GET /metrics`.
    func sendMetrics(_ request: RoutedRequest) {
        metrics.render(snapshot(), to: &metricsPage)
        reply(request.exchange, .ok, [.contentType: PrometheusText.contentType], metricsPage.bytes)
    }

    private func snapshot() -> Metrics.Snapshot {
        var snapshot = Metrics.Snapshot(modelName: configuration.servedModelName, model: state.loadedModel)
        snapshot.statistics = statistics
        (snapshot.running, snapshot.waiting, snapshot.preparing) = (
            admission.running, admission.waiting, admission.preparing
        )
        snapshot.openRequests = requests.count
        snapshot.process = .now()
        snapshot.isStalled = isStalled
        snapshot.certificateEnd = certificateEnd
        snapshot.includesOldNames = configuration.metricsIncludeOldNames
        return snapshot
    }

    /// `GET /props` in llama-server's form, with the members that apply.
    func sendProperties(_ request: RoutedRequest) {
        withServing(request.exchange) { serving in
            reply(
                request.exchange,
                serving.properties(
                    slots: configuration.engine.maxSequences,
                    folder: ServerConfiguration.name(of: configuration.engine.modelDirectory)))
        }
    }
}

extension Serving {
    /// - Parameters:
    ///   - slots: the maximum number of running sequences.
    ///   - folder: the name of the model's folder, without its location.
    fileprivate func properties(slots: Int, folder: String) -> JSONValue {
        let sampling = model.samplingDefaults
        let info = text?.tokenizerInfo(of: model)
        return [
            "default_generation_settings": [
                "n_ctx": .integer(model.maxModelLength),
                "params": [
                    "temperature": .float(sampling.temperature), "top_k": .integer(sampling.topK),
                    "top_p": .float(sampling.topP), "min_p": .float(sampling.minP),
                    "repeat_penalty": .float(sampling.repetitionPenalty),
                    "presence_penalty": .float(sampling.presencePenalty),
                    "frequency_penalty": .float(sampling.frequencyPenalty),
                ],
            ],
            "total_slots": .integer(slots), "model_alias": .string(model.name), "model_path": .string(folder),
            "modalities": ["vision": false, "audio": false],
            "chat_template": info?["chat_template"] ?? .null, "bos_token": info?["bos_token"] ?? .null,
            "eos_token": info?["eos_token"] ?? .null, "build_info": .string("trinity \(Application.version)"),
        ]
    }
}
