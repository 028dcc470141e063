import Tokenizers

/// The names of tokens in log-probabilities.
struct TokenNames: Sendable {
    /// The bytes of an id; `nil` for models without a tokenizer.
    private let bytes: (@Sendable (Int32) -> [UInt8])?
    /// Whether an id is a special token, which may be left out of a text.
    let isSpecial: @Sendable (Int32) -> Bool

    init(
        bytes: @escaping @Sendable (Int32) -> [UInt8], isSpecial: @escaping @Sendable (Int32) -> Bool = { _ in false }
    ) {
        self.bytes = bytes
        self.isSpecial = isSpecial
    }

    /// Ids without text.
    static let idsOnly = TokenNames()

    private init() {
        bytes = nil
        isSpecial = { _ in false }
    }

    /// The exact bytes of a token; `nil` without a tokenizer.
    func bytes(of id: Int32) -> [UInt8]? {
        bytes?(id)
    }

    /// The token as text: incomplete characters are U+FFFD, and ids without text are named `token_id:N`.
    func text(of id: Int32) -> String {
        bytes.map { String(decoding: $0(id), as: UTF8.self) } ?? "token_id:\(id)"
    }
}
