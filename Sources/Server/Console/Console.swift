import Foundation
import JSON
import Logging

/// Runs a model in the terminal, without a server.
public struct Console {
    /// Sampling parameters of replies; `nil` values use the model's defaults.
    public struct Parameters: Sendable {
        public var maxTokens: Int?
        public var temperature: Double?
        public var topP: Double?
        public var seed: Int?
        public var reasoningEffort: String?

        public init() {}

        /// The parameters as members of a request.
        fileprivate var json: JSONObject {
            var json = JSONObject()
            if let maxTokens { json["max_tokens"] = .integer(maxTokens) }
            if let temperature { json["temperature"] = .double(temperature) }
            if let topP { json["top_p"] = .double(topP) }
            if let seed { json["seed"] = .integer(seed) }
            if let reasoningEffort { json["reasoning_effort"] = .string(reasoningEffort) }
            return json
        }
    }

    private let configuration: ServerConfiguration
    public var parameters: Parameters

    public init(_ configuration: ServerConfiguration, _ parameters: Parameters) {
        self.configuration = configuration
        self.parameters = parameters
    }

    /// Chats until the input ends.
    ///
    /// - Parameter system: the system prompt.
    /// - Throws: `ApplicationError` if the model cannot be loaded, or a parameter is invalid.
    public func chat(system: String?) throws {
        let session = try makeSession()
        var first = parameters.json
        first["messages"] = .array(ChatConsole.beginning(system) + [["role": "user", "content": "Hello"]])
        try session.check(.object(first), isChat: true)
        let interruption = Interruption()
        var lines = LineReader(descriptor: STDIN_FILENO)
        let isTerminal = isatty(STDIN_FILENO) == 1 && isatty(STDOUT_FILENO) == 1
        if isTerminal { Self.write("/help lists the commands.\n") }
        ChatConsole(parameters: parameters.json, system: system, isTerminal: isTerminal) {
            lines.next()
        } write: {
            Self.write($0)
        } generate: { body, receive in
            try interruption.during { isCancelled in
                try session.generate(body, isChat: true, isCancelled: isCancelled, receive: receive)
            }
        }.run()
    }

    /// Completes a prompt.
    ///
    /// - Throws: `ApplicationError` if the model cannot be loaded, or the request is invalid.
    public func complete(_ text: String) throws {
        var body = parameters.json
        body["prompt"] = .string(text)
        let session = try makeSession()
        try Interruption().during { isCancelled in
            try session.generate(.object(body), isChat: false, isCancelled: isCancelled) { event in
                if case .content(let text) = event { Self.write(text) }
            }
        }
        Self.write("\n")
    }

    private func makeSession() throws -> ConsoleSession {
        var logger = Logger(label: "trinity") { StreamLogHandler.standardError(label: $0) }
        logger.logLevel = .error
        var configuration = configuration
        try configuration.locateModel { FileHandle.standardError.write(Data("\($0)\n".utf8)) }
        if let warning = configuration.engine.limitThreads() {
            FileHandle.standardError.write(Data("warning: \(warning)\n".utf8))
        }
        return try ConsoleSession(configuration, logger: logger)
    }

    private static func write(_ text: String) {
        FileHandle.standardOutput.write(Data(text.utf8))
    }
}
