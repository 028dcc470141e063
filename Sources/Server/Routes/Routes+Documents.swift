import HTTP

/// What is part of the program: the page, and the description of the API.
extension Routes {
    /// `GET /`, if it is not turned off.
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
