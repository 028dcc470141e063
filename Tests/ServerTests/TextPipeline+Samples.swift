import Foundation
import TestSupport
import Testing

@testable import Server

extension TextPipeline {
    /// The chat model's tokenizer with another template.
    static func sample(template source: String) throws -> TextPipeline {
        let folder = FileManager.default.temporaryDirectory.appending(path: UUID().uuidString)
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        for name in ["tokenizer.json", "tokenizer_config.json"] {
            try FileManager.default.copyItem(
                at: Fixtures.chatModel.appending(path: name), to: folder.appending(path: name))
        }
        try Data(source.utf8).write(to: folder.appending(path: "chat_template.jinja"))
        return try #require(try TextPipeline(directory: folder))
    }
}
