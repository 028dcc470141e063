import Engine
import JSON
import Server
import TestSupport

extension FuzzTarget {
    /// Any JSON is a request or an `APIError`, on every endpoint; the first byte selects one.
    static func readRequestBody(_ bytes: [UInt8]) throws(BrokenInvariant) {
        guard let choice = bytes.first, let body = try? JSONValue(parsing: Array(bytes.dropFirst())) else { return }
        switch choice % 4 {
        case 0: _ = try? CompletionRequest(body, for: model)
        case 1: _ = try? ChatCompletionRequest(body, for: model)
        case 2: _ = try? ChatCompletionRequest(MessagesRequest.translate(body, for: model), for: model)
        default: _ = try? ChatCompletionRequest(ResponsesRequest.translate(body, for: model), for: model)
        }
    }

    private static let model = ServedModel(
        name: "m", created: 0, vocabularySize: 100, maxModelLength: 64, hasTokenizer: true, hasChatTemplate: true,
        samplingDefaults: SamplingParameters())
}
