import Testing

@testable import Hub

@Suite struct HubReferenceTests {
    @Test func `a name has an owner, and may have a revision and a quantization`() throws {
        let plain = try #require(HubReference("arcee-ai/Trinity-Mini"))
        #expect(plain.repository == "arcee-ai/Trinity-Mini" && plain.revision == nil && plain.quantization == nil)
        #expect(plain.revisionOrMain == "main")
        let full = try #require(HubReference("arcee-ai/Trinity-Mini-GGUF@refs/pr/1:Q4_K_M"))
        #expect(full.repository == "arcee-ai/Trinity-Mini-GGUF")
        #expect(full.revision == "refs/pr/1" && full.quantization == "Q4_K_M")
        #expect("\(full)" == "arcee-ai/Trinity-Mini-GGUF@refs/pr/1:Q4_K_M")
    }

    @Test(arguments: [
        "", "Trinity-Mini", "/a/b", "a/b/c", "./b", "../b", "a/..", "a/.b", "a/-b", "a/b.", "a/b--c", "a/b..c",
        "a/b.git",
        "a/ b", "a/b@", "a/b:", "a/b@main:", "a/b@../x", "a/b@/x", "a/b@x//y", "a/b@x/./y", "a/b:Q4/K", "~/b", "a\\b/c",
        "https://huggingface.co/a/b", "a/b\0", "ä/b", "a/" + String(repeating: "b", count: 97),
    ])
    func `anything else is only a path`(text: String) {
        #expect(HubReference(text) == nil)
    }
}
