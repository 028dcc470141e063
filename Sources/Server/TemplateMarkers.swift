import JSON
import Tokenizers

/// The control tokens that a chat template writes, such as `<|im_start|>`.
enum TemplateMarkers {
    /// Returns a warning for each marker that is not a single token of the tokenizer, at most ``mostWarnings``.
    ///
    /// These are warnings, not errors. The model still gets the marker's text, and some base models intentionally have another
    /// model's template. A template that does not compile is refused, because then there is no prompt at all. Tags without bars,
    /// such as `<think>` and `<tool_call>`, are plain text in many models and are not checked.
    static func warnings(_ source: String, _ tokenizer: Tokenizer, _ specialTokens: JSONObject) -> [String] {
        var markers: [(what: String, text: String)] = markers(in: source).map { ("writes \($0)", $0) }
        for (name, value) in specialTokens where source.contains(name) {
            if let text = value.string { markers.append(("writes \(name), which is \(text.prefix(64))", text)) }
        }
        return markers.lazy.filter { tokenizer.encode($0.text, addSpecialTokens: false).count != 1 }
            .prefix(mostWarnings)
            .map {
                "the chat template \($0.what), but the tokenizer has no such token: it is encoded as plain text"
            }
    }

    private static let mostWarnings = 16

    /// Returns the distinct texts of the form `<|name|>` in the source, at most 256. Names computed by an expression are not found.
    private static func markers(in source: String) -> [String] {
        let bytes = Array(source.utf8)
        var found: [String] = []
        var position = 0
        while position + 4 < bytes.count {
            defer { position += 1 }
            guard bytes[position] == UInt8(ascii: "<"), bytes[position + 1] == UInt8(ascii: "|") else { continue }
            let name = bytes[(position + 2)...].prefix(64).prefix { !" \t\r\n'\"<>|{}".utf8.contains($0) }
            guard !name.isEmpty, bytes[name.endIndex...].starts(with: Array("|>".utf8)) else { continue }
            let marker = String(decoding: bytes[position..<name.endIndex + 2], as: UTF8.self)
            if !found.contains(marker), found.count < 256 { found.append(marker) }
        }
        return found
    }
}
