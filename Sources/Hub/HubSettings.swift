import Basics
import Foundation
import Web

/// The locations of the Hub and its cache. The environment variables are those of Python's `huggingface_hub`, with which the
/// cache is shared.
///
/// What only requests need is read and checked before the first request, so that it cannot stop commands that use the cache only.
public struct HubSettings: Sendable {
    /// The folder of the cache (HF_HUB_CACHE, or `hub` in HF_HOME).
    public var cache: String
    /// Whether only the cache is used (HF_HUB_OFFLINE).
    public var isOffline = false
    /// The proxies for requests.
    var proxies: WebProxies
    /// As they are in HF_ENDPOINT, HF_HUB_DOWNLOAD_TIMEOUT and HF_TOKEN.
    private let givenEndpoint: String?
    private let givenSilence: String?
    private let givenToken: String?
    private let tokenFile: String

    /// The maximum size of a token file in bytes.
    private static let largestTokenFile = 4096

    public init(environment: [String: String]) {
        let given = environment.filter { !$0.value.isEmpty }
        func isOn(_ name: String) -> Bool { ["1", "ON", "YES", "TRUE"].contains(given[name]?.uppercased() ?? "") }

        let user = given["HOME"] ?? NSHomeDirectory()
        func path(_ text: String) -> String { text == "~" || text.hasPrefix("~/") ? user + text.dropFirst() : text }
        let home = path(given["HF_HOME"] ?? (given["XDG_CACHE_HOME"] ?? "\(user)/.cache") + "/huggingface")
        let folder = path(given["HF_HUB_CACHE"] ?? given["HUGGINGFACE_HUB_CACHE"] ?? "\(home)/hub")
        cache = URL(fileURLWithPath: folder).standardizedFileURL.path
        isOffline = isOn("HF_HUB_OFFLINE") || isOn("TRANSFORMERS_OFFLINE")
        proxies = WebProxies(environment: given)
        givenEndpoint = given["HF_ENDPOINT"]
        givenSilence = given["HF_HUB_DOWNLOAD_TIMEOUT"]
        givenToken = given["HF_TOKEN"] ?? given["HUGGING_FACE_HUB_TOKEN"]
        tokenFile = path(given["HF_TOKEN_PATH"] ?? "\(home)/token")
    }

    /// Returns the address of the Hub, as text without a trailing slash (HF_ENDPOINT).
    ///
    /// - Throws: `HubError.setting` if it is not a URL.
    func endpoint() throws(HubError) -> (text: String, address: WebAddress) {
        let text = String((givenEndpoint ?? "https://huggingface.co").reversed().drop { $0 == "/" }.reversed())
        // Errors print it, so it must not have a password.
        guard let address = WebAddress(text), address.user == nil, !text.contains("?") else {
            throw .setting("HF_ENDPOINT", reason: "must be a URL with http or https, without user, password and query")
        }
        return (text, address)
    }

    /// Returns the time without data after which a connection is closed (HF_HUB_DOWNLOAD_TIMEOUT).
    ///
    /// - Throws: `HubError.setting` for an invalid value.
    func silence() throws(HubError) -> Duration {
        guard let givenSilence else { return .seconds(10) }
        guard let seconds = Int(givenSilence), (1...3600).contains(seconds) else {
            throw .setting("HF_HUB_DOWNLOAD_TIMEOUT", reason: "must be 1 to 3600 seconds; got '\(givenSilence)'")
        }
        return .seconds(seconds)
    }

    /// Reads the access token for private and gated models (HF_TOKEN, or the file `token` in HF_HOME).
    ///
    /// - Returns: `nil` if there is none.
    /// - Throws: `HubError.setting` with the variable or file that has no usable token.
    func readToken() throws(HubError) -> String? {
        if let givenToken { return try Self.checked(givenToken, "HF_TOKEN") }
        let bytes: [UInt8]?
        do throws(RegularFile.Failure) {
            bytes = try RegularFile.readIfPresent(tokenFile, atMost: Self.largestTokenFile)
        } catch {
            throw .setting(tokenFile, reason: "\(error)")
        }
        guard let bytes else { return nil }
        return try Self.checked(String(decoding: bytes, as: UTF8.self), tokenFile)
    }

    /// Returns the token without surrounding white space, checked because it becomes part of a header.
    private static func checked(_ text: String, _ source: String) throws(HubError) -> String? {
        let token = text.trimmingCharacters(in: .whitespacesAndNewlines)
        guard token.utf8.allSatisfy({ (0x21...0x7E).contains($0) }) else {
            throw .setting(source, reason: "is not a token: it has white space or characters outside of ASCII")
        }
        return token.isEmpty ? nil : token
    }
}
