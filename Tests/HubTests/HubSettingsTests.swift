import Foundation
import Testing

@testable import Hub

@Suite struct HubSettingsTests {
    private func settings(_ variables: [String: String]) -> HubSettings {
        HubSettings(environment: ["HOME": "/nowhere"].merging(variables) { $1 })
    }

    @Test func `the cache is where huggingface_hub has it`() {
        #expect(settings([:]).cache == "/nowhere/.cache/huggingface/hub")
        #expect(settings(["XDG_CACHE_HOME": "/x"]).cache == "/x/huggingface/hub")
        #expect(settings(["XDG_CACHE_HOME": "/x", "HF_HOME": "/h/"]).cache == "/h/hub")
        #expect(settings(["HF_HOME": "~/h"]).cache == "/nowhere/h/hub")
        #expect(settings(["HF_HOME": "/h", "HF_HUB_CACHE": "/c"]).cache == "/c")
        #expect(settings(["HF_HOME": "/h", "HF_HUB_CACHE": ""]).cache == "/h/hub")
    }

    @Test func `the Hub is the public one unless the environment names another`() throws {
        #expect(try settings([:]).endpoint().text == "https://huggingface.co")
        #expect(try settings(["HF_ENDPOINT": "http://mirror:8080/hf//"]).endpoint().text == "http://mirror:8080/hf")
        for text in ["mirror", "ftp://mirror", "https://", "http://a b"] {
            #expect(throws: HubError.self) { try settings(["HF_ENDPOINT": text]).endpoint() }
        }
        for text in ["https://me:secret@mirror", "https://secret@mirror/hf", "https://mirror?key=secret"] {
            let error = try #require(throws: HubError.self) { try settings(["HF_ENDPOINT": text]).endpoint() }
            #expect(error.description.hasPrefix("HF_ENDPOINT: must be a URL") && !error.description.contains("secret"))
        }
    }

    @Test func `a token has no character that could end a header`() throws {
        #expect(try settings([:]).readToken() == nil)
        #expect(try settings(["HF_TOKEN": " hf_abc\n"]).readToken() == "hf_abc")
        #expect(throws: HubError.self) { try settings(["HF_TOKEN": "hf\r\nX: y"]).readToken() }
        let home = FileManager.default.temporaryDirectory.appending(path: UUID().uuidString)
        try FileManager.default.createDirectory(at: home, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: home) }
        try Data("hf_file\n".utf8).write(to: home.appending(path: "token"))
        #expect(try settings(["HF_HOME": home.path]).readToken() == "hf_file")
        #expect(try settings(["HF_HOME": home.path, "HF_TOKEN": "hf_abc"]).readToken() == "hf_abc")
    }

    @Test(arguments: [("1", true), ("true", true), ("ON", true), ("0", false), ("", false), ("no", false)])
    func `offline is a switch`(value: String, isOffline: Bool) {
        #expect(settings(["HF_HUB_OFFLINE": value]).isOffline == isOffline)
    }

    @Test func `a time without data has bounds`() throws {
        #expect(try settings(["HF_HUB_DOWNLOAD_TIMEOUT": "2"]).silence() == .seconds(2))
        for text in ["0", "-1", "3601", "x"] {
            #expect(throws: HubError.self) { try settings(["HF_HUB_DOWNLOAD_TIMEOUT": text]).silence() }
        }
    }

    @Test func `names and paths are encoded in the URLs of the Hub`() throws {
        let api = try HubAPI(HubSettings(environment: ["HF_ENDPOINT": "https://hub/hf"]))
        let reference = try #require(HubReference("a/b@refs/pr/1"))
        #expect(api.listingURL(reference) == "https://hub/hf/api/models/a/b/revision/refs%2Fpr%2F1?blobs=true")
        #expect(api.fileURL("x/y z", commit: "c", of: "a/b") == "https://hub/hf/a/b/resolve/c/x/y%20z")
    }
}
