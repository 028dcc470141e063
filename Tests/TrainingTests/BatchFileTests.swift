import Checkpoints
import Foundation
import TestSupport
import Testing

@testable import Training

@Suite struct BatchFileTests {
    private let temporary: TemporaryModel

    init() throws {
        temporary = try TemporaryModel()
    }

    private func out(_ name: String) -> URL { temporary.directory.appending(path: name) }

    @Test(
        arguments: [
            "step2.micro0.ids", "step2.micro1.ids", "step2.micro1.document",
        ])
    func `a gap in a file of batches is refused by name`(lost: String) throws {
        let url = out("batches.safetensors")
        var data = try Data(contentsOf: TrainingFixture.root.appending(path: "train30/batches.safetensors"))
        let name = try #require(data.range(of: Data("\"\(lost)\"".utf8)))
        let other = "\"" + String(repeating: "x", count: lost.utf8.count) + "\""
        data.replaceSubrange(name, with: Data(other.utf8))
        try data.write(to: url)
        #expect {
            try BatchFile(url, vocabularySize: 1 << 20)
        } throws: {
            guard case TrainingError.tensor(url.path, let name, _) = $0 else { return false }
            // That of the first micro-batch behind the gap, or the lost one.
            return name.hasPrefix("step") && "\($0)".hasSuffix("\(lost) is missing")
        }
    }

    @Test func `an invalid value in a later step is found before the first`() throws {
        let url = TrainingFixture.root.appending(path: "train30/batches.safetensors")
        let file = try BatchFile(url, vocabularySize: 95)
        #expect {
            try file.check(steps: 30)
        } throws: {
            guard case TrainingError.tensor(url.path, let name, let reason) = $0 else { return false }
            return name.hasSuffix(".ids") && reason.hasPrefix("is 95")
        }
        try BatchFile(url, vocabularySize: 96).check(steps: 30)
    }
}
