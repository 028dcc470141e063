import HTTP

/// Documents in the binary: the web UI and the API description.
extension Routes {
    /// `GET /`, unless the web UI is disabled.
    func sendPage(_ request: RoutedRequest) {
        guard configuration.servesPage else { return refuse(request.exchange, .notFound(path: request.path)) }
        reply(request.exchange, .ok, WebUI.fields, WebUI.body)
    }

    /// `GET /openapi.json`.
    func sendOpenAPIJSON(_ request: RoutedRequest) {
        reply(request.exchange, .ok, [.contentType: "application/json"], OpenAPIDocument.json)
    }

    /// `GET /openapi.yaml`.
    func sendOpenAPIYAML(_ request: RoutedRequest) {
        reply(request.exchange, .ok, [.contentType: "application/yaml"], OpenAPIDocument.yaml)
    }
}
