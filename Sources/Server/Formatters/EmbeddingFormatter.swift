import Foundation
import JSON

/// Writes responses as OpenAI's embeddings: a vector for each input. Embeddings are never streamed.
struct EmbeddingFormatter: ResponseFormatter {
    var encoding: EmbeddingRequest.Encoding

    func body(of response: ResponseState) -> JSONValue {
        let data = response.choices.enumerated().map { index, choice -> JSONValue in
            ["object": "embedding", "index": .integer(index), "embedding": json(choice.embedding)]
        }
        let tokens = JSONValue.integer(response.usage.promptTokens)
        return [
            "object": "list", "data": .array(data), "model": .string(response.head.model),
            "usage": ["prompt_tokens": tokens, "total_tokens": tokens],
        ]
    }

    func write(_ update: ResponseUpdate, of response: ResponseState, to output: inout [UInt8]) {}

    func fail(_ error: APIError, _ response: ResponseState, to output: inout [UInt8]) {}

    private func json(_ vector: [Float]) -> JSONValue {
        switch encoding {
        case .float: .array(vector.map(JSONValue.float))
        case .base64:
            .string(
                Data(vector.flatMap { withUnsafeBytes(of: $0.bitPattern.littleEndian, Array.init) })
                    .base64EncodedString())
        }
    }
}
