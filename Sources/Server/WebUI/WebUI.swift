import HTTPTypes

/// The web chat UI at `/`: chat with the model, and the state of the server. One file, which loads nothing from elsewhere.
enum WebUI {
    static let body = PackageResources.index_html

    /// The browser holds it to that: its own script and style, requests to this server only, in nobody's frame
    /// (Content Security Policy Level 3).
    static let fields: HTTPFields = [
        .contentType: "text/html; charset=utf-8",
        .contentSecurityPolicy: """
        default-src 'none'; connect-src 'self'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; img-src data:; \
        base-uri 'none'; form-action 'none'; frame-ancestors 'none'
        """,
        .xContentTypeOptions: "nosniff",
        .cacheControl: "no-cache",
    ]
}
