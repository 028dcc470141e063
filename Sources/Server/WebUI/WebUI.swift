import COpenSSL
import HTTPTypes

/// The web chat UI at `/`: a chat with the model, and the state of the server. It is a single page that loads nothing from other
/// servers: `index.html`, with its style sheet and scripts inserted.
enum WebUI {
    static let body = page.body

    /// The browser enforces these rules: only its own scripts and styles, identified by their hashes, no parsing of text as
    /// HTML, only requests to this server, and no embedding in frames (Content Security Policy Level 3, Trusted Types).
    static let fields: HTTPFields = [
        .contentType: "text/html; charset=utf-8",
        .contentSecurityPolicy: """
        default-src 'none'; connect-src 'self'; script-src\(sources(page.scripts)); style-src\(sources(page.styles)); \
        img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; \
        require-trusted-types-for 'script'; trusted-types 'none'
        """,
        .xContentTypeOptions: "nosniff",
        .cacheControl: "no-cache",
    ]

    private static let page = Page()

    private static func sources(_ hashes: [String]) -> String {
        hashes.map { " 'sha256-\($0)'" }.joined()
    }

    /// The page as one file, and the hashes of its parts.
    private struct Page {
        var body: [UInt8] = []
        var scripts: [String] = []
        var styles: [String] = []

        init() {
            let scripts = [
                "dom": PackageResources.dom_js, "markdown-blocks": PackageResources.markdown_blocks_js,
                "markdown-inlines": PackageResources.markdown_inlines_js,
                "markdown-view": PackageResources.markdown_view_js,
                "conversations": PackageResources.conversations_js, "settings": PackageResources.settings_js,
                "completion": PackageResources.completion_js, "messages": PackageResources.messages_js,
                "chat": PackageResources.chat_js, "sidebar": PackageResources.sidebar_js,
                "status": PackageResources.status_js,
            ]
            let references = Dictionary(
                uniqueKeysWithValues: scripts.map { ("<script src=\"\($0.key).js\"></script>", $0.value) })
            for line in PackageResources.index_html.split(separator: UInt8(ascii: "\n")) {
                let text = String(decoding: line, as: UTF8.self)
                if let script = references[text] {
                    place(script, in: "script")
                    self.scripts.append(Self.hash(of: script))
                } else if text == "<link rel=\"stylesheet\" href=\"style.css\">" {
                    place(PackageResources.style_css, in: "style")
                    styles.append(Self.hash(of: PackageResources.style_css))
                } else {
                    body.append(contentsOf: line)
                }
                body.append(UInt8(ascii: "\n"))
            }
            precondition(
                self.scripts.count == scripts.count && styles.count == 1, "the page names each of its files once")
        }

        private mutating func place(_ content: [UInt8], in tag: String) {
            body.append(contentsOf: "<\(tag)>".utf8)
            body.append(contentsOf: content)
            body.append(contentsOf: "</\(tag)>".utf8)
        }

        /// Returns the SHA-256 digest in base64, in the form of the policy.
        private static func hash(of content: [UInt8]) -> String {
            var digest = [UInt8](repeating: 0, count: 32)
            let isDone = EVP_Digest(content, content.count, &digest, nil, EVP_sha256(), nil)
            precondition(isDone == 1, "libcrypto has SHA-256")
            // Four characters for every three bytes, and a zero.
            var text = [UInt8](repeating: 0, count: 45)
            EVP_EncodeBlock(&text, digest, Int32(digest.count))
            return String(decoding: text.dropLast(), as: UTF8.self)
        }
    }
}
