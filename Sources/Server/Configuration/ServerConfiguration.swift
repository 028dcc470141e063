import Engine
import Foundation
import HTTP
import Logging
import Scheduling

/// The options of the server from command line, environment and file, checked, with the defaults of the table.
public struct ServerConfiguration: Sendable {
    /// Draft tokens of a sequence in one engine step, if speculative decoding is on.
    public static let defaultSpeculativeTokens = 8
    /// The model that the repository carries, seen from the repository's root as the working directory.
    public static let defaultModel = "Models/trinity-tiny"

    public var host: String
    /// 0 lets the system choose.
    public var port: Int
    /// The names that requests use, at least one; by default the model folder's.
    public var servedModelNames: [String]
    /// The first of them, which metrics and replies to requests without one have.
    public var servedModelName: String { servedModelNames[0] }
    public var engine: EngineOptions
    /// What may wait for its first token, beside `engine.maxQueuedSequences`.
    public var queueBounds: QueueBounds
    /// How long running requests may take to finish after SIGTERM.
    public var drainTimeout: Duration
    /// How long a request may take from its arrival to the engine, however long its own timeout is.
    public var preparationTimeout = Duration.seconds(60)
    /// Whether requests of different API keys may find each other's prompts in the prefix cache.
    public var sharesPrefixCache: Bool
    /// How long a step of the engine may take before `/health` is 503; `nil`: no watchdog. A step of 512 tokens of the
    /// largest model takes seconds on a slow CPU, and one of 8,192 tokens some ten times as long.
    public var watchdogTimeout: Duration?
    /// Bytes of a request body; a larger one is a 413.
    public var maxBodyBytes = 32 << 20
    /// Bytes of all request bodies, their JSON, prompts and replies about text that are held at a time, beyond the first 64 KiB
    /// of each; above it 503. Of several keys one gets 3/4 at most.
    public var maxBodyMemory: Int
    /// The API keys with their limits; empty: no authentication.
    public var apiKeys = APIKeys()
    /// The file of API keys.
    public var apiKeyFile: String?
    /// For API keys without limits of their own; without keys, for all requests together.
    public var rateLimits = RateLimits()
    /// Web pages of other origins that may use the API; nil: none.
    public var cors: CORSPolicy?
    /// Names by which clients may address a server without keys; nil: while it listens on loopback addresses only, those of
    /// this machine, else all.
    public var allowedHosts: AllowedHosts?
    /// Whether nobody but this machine reaches the server; known when its host's addresses are.
    var listensOnLoopbackOnly = false
    /// HTTPS instead of HTTP.
    public var tls: TLSFiles?
    /// Seconds between two checks of the files of certificates and keys.
    var reloadInterval = 5.0
    /// Maximum open connections, beside a few that are reserved for probes and scrapes.
    public var maxConnections: Int
    /// Whether `/metrics` needs an API key.
    public var metricsNeedKey: Bool
    /// Whether `/metrics` also has names that vLLM has removed.
    public var metricsIncludeOldNames: Bool
    /// Whether the web chat UI is served at `/`.
    public var servesPage: Bool
    /// Whether parameters that the server does without are refused instead of ignored.
    public var refusesUnknownParameters: Bool
    /// Whether special tokens in the messages of users and tools are parsed, instead of being encoded as plain text.
    public var trustsUserContent: Bool
    public var logLevel: Logger.Level
    public var logFormat: LogFormat

    /// The format of log lines.
    public enum LogFormat: String, Sendable, CaseIterable {
        case text, json
    }

    /// The format of reasoning in the output.
    public enum ReasoningParser: String, Sendable, CaseIterable {
        /// Detected from the chat template.
        case auto
        case none
        /// Between `<think>` and `</think>`.
        case think
        /// The same, and a reply begins inside it unless the prompt says otherwise.
        case deepseekR1 = "deepseek_r1"
    }

    /// The format of tool calls in the output.
    public enum ToolCallParser: String, Sendable, CaseIterable {
        /// Detected from the chat template.
        case auto
        case none, hermes
        case qwen3Coder = "qwen3_coder"
    }

    /// A stream that sends nothing for this long sends a comment, so that no proxy or client closes it as idle.
    public var keepAliveInterval = Duration.seconds(15)
    public var reasoningParser: ReasoningParser
    public var toolCallParser: ToolCallParser

    /// Who may read `/metrics`.
    public enum MetricsAccess: String, Sendable, CaseIterable {
        case open, key
    }

    /// The method of speculative decoding.
    public enum Speculation: String, Sendable, CaseIterable {
        case off, ngram
    }

    /// What prefill is sized for beside decoding sequences; the name and the values are vLLM's.
    public enum PerformanceMode: String, Sendable, CaseIterable {
        case balanced, interactivity, throughput
    }

    /// Environment variables that look like options and are none; `run` warns of them.
    public let unknownVariables: [String]
    /// The text and source of each option that was given, for `trinity config`.
    let sources: [Option: (text: String, source: OptionReader.Source)]

    /// Reads the options: a flag wins over the environment, which wins over the file that `--config` names, which wins over
    /// the default.
    ///
    /// - Parameters:
    ///   - flags: the flags that were given.
    ///   - environment: the process's environment.
    /// - Throws: `ConfigurationError` with the option, its bound and the value.
    public init(flags: [GivenOption], environment: [String: String]) throws(ConfigurationError) {
        let options = try OptionReader(flags: flags, environment: environment)
        sources = options.sources
        let variables = Set(Option.allCases.flatMap(\.names).map(Option.variable))
        unknownVariables = environment.keys
            .filter { $0.hasPrefix(Option.variablePrefix) && !variables.contains($0) }.sorted()

        let model = options.text(.model)
        if model.isEmpty { throw ConfigurationError(option: .model, reason: "must be the folder of a model") }
        let directory = URL(fileURLWithPath: model).standardizedFileURL
        servedModelNames = try Self.names(of: directory, options)
        engine = try Self.engine(directory, options)
        host = options.text(.host)
        port = try options.integer(.port)
        queueBounds = QueueBounds(
            tokens: try options.optionalInteger(.maxNumQueuedTokens), wait: try options.time(.maxQueueWait))
        sharesPrefixCache = try options.bool(.sharePrefixCache)
        drainTimeout = .seconds(try options.integer(.shutdownTimeout))
        watchdogTimeout = try options.time(.watchdogTimeout)
        maxConnections = try options.integer(.maxConnections)
        maxBodyMemory = try options.size(.maxBodyMemory)
        trustsUserContent = try options.bool(.trustUserContent)
        reasoningParser = try options.choice(.reasoningParser)
        toolCallParser = try options.choice(.toolCallParser)
        metricsNeedKey = try options.choice(.metricsAccess) == MetricsAccess.key
        metricsIncludeOldNames = try options.bool(.metricsCompat)
        servesPage = try options.bool(.webUi)
        refusesUnknownParameters = try options.bool(.strictParameters)
        logLevel = try options.choice(.logLevel)
        logFormat = try options.choice(.logFormat)
        try readKeys(options)
        try readConnections(options)
    }

    /// Reads the options with their names of today.
    public init(flags: [Option: String], environment: [String: String]) throws(ConfigurationError) {
        try self.init(
            flags: flags.map { GivenOption($0.key, as: $0.key.flag, $0.value) }, environment: environment)
    }
}
