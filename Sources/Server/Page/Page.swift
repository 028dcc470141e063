import HTTPTypes

/// The page at `/`: chat with the model, and how the server is doing. One file, which asks for nothing elsewhere.
enum Page {
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
