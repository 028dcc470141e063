import Basics
import Engine
import Foundation
import HTTP
import Hub
import Logging
import Scheduling

/// The checked options of the server, from the command line, environment and file, with the defaults of the table.
public struct ServerConfiguration: Sendable {
    /// The default number of draft tokens of a sequence in one engine step, if speculative decoding is on.
    public static let defaultSpeculativeTokens = 8
    /// The model that the repository includes, relative to the repository's root.
    public static let defaultModel = "Models/trinity-tiny"

    public var host: String
    /// 0 lets the system choose.
    public var port: Int
    /// The names of the model in requests, at least one; by default the name of the model's folder or file.
    public var servedModelNames: [String]
    /// The first name, used in metrics and in replies to requests without a name.
    public var servedModelName: String { servedModelNames[0] }
    public var engine: EngineOptions
    /// The folder of the tokenizer and chat template; `nil`: the model's.
    public var tokenizer: URL?
    /// The model on the Hugging Face Hub; `nil` for a folder. ``locateModel(report:isCancelled:)`` replaces it by its folder.
    public var hubModel: HubReference?
    /// Limits of the queue in addition to `engine.maxQueuedSequences`.
    public var queueBounds: QueueBounds
    /// How long running requests may take to finish after SIGTERM.
    public var drainTimeout: Duration
    /// The maximum time from a request's arrival to the engine, regardless of its own timeout.
    public var preparationTimeout = Duration.seconds(60)
    /// Whether requests of different API keys share cached prefixes.
    public var sharesPrefixCache: Bool
    /// The maximum time of an engine step before `/health` returns 503; `nil`: no watchdog. A step of 512 tokens of the largest
    /// model takes seconds on a slow CPU, and one of 8,192 tokens about ten times as long.
    public var watchdogTimeout: Duration?
    /// The maximum size of a request body in bytes. A larger one gets 413.
    public var maxBodyBytes = 32 << 20
    /// The maximum memory in bytes of all request bodies, their JSON, prompts and text replies, beyond the first 64 KiB of
    /// each. Above it, requests get 503. With keys, one key gets at most 3/4.
    public var maxBodyMemory: Int
    /// The API keys with their limits; empty: no authentication.
    public var apiKeys = APIKeys()
    /// The file of API keys.
    public var apiKeyFile: String?
    /// The limits of each API key that has none of its own; without keys, of all requests together.
    public var rateLimits = RateLimits()
    /// The other origins whose web pages may use the API; nil: none.
    public var cors: CORSPolicy?
    /// The host names that a server without keys accepts; nil: the names of this machine if it listens only on loopback
    /// addresses, otherwise all.
    public var allowedHosts: AllowedHosts?
    /// Whether the server is reachable only from this machine; set when the addresses of its host are known.
    var listensOnLoopbackOnly = false
    /// The certificate and key for HTTPS; `nil`: plain HTTP.
    public var tls: TLSFiles?
    /// The time between two checks of certificate and key files, in seconds.
    var reloadInterval = 5.0
    /// The maximum number of open connections, without those reserved for probes and scrapes.
    public var maxConnections: Int
    /// Whether `/metrics` needs an API key.
    public var metricsNeedKey: Bool
    /// Whether `/metrics` also has names that vLLM has removed.
    public var metricsIncludeOldNames: Bool
    /// Whether the web chat UI is served at `/`.
    public var servesPage: Bool
    /// Whether all unknown and unsupported parameters are refused, also those that could be ignored.
    public var refusesUnknownParameters: Bool
    /// Whether special tokens in the messages of users and tools are parsed, instead of encoded as plain text.
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
        /// The same, but a reply begins inside the reasoning unless the prompt closes it.
        case deepseekR1 = "deepseek_r1"
    }

    /// The format of tool calls in the output.
    public enum ToolCallParser: String, Sendable, CaseIterable {
        /// Detected from the chat template.
        case auto
        case none, hermes
        case qwen3Coder = "qwen3_coder"
    }

    /// The time after which a silent stream sends a comment, so that proxies and clients do not close it as idle.
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

    /// The goal of the prefill policy; name and values are vLLM's.
    public enum PerformanceMode: String, Sendable, CaseIterable {
        case balanced, interactivity, throughput
    }

    /// Environment variables that look like options but are not; `run` logs a warning about them.
    public let unknownVariables: [String]
    /// The text and source of each option that was given, for `trinity config`.
    let sources: [Option: (text: String, source: OptionReader.Source)]

    /// Reads the options: a flag overrides the environment, which overrides the file named by `--config`, which overrides the
    /// default.
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
        if model.isEmpty {
            throw ConfigurationError(
                option: .model, reason: "must be a folder, a GGUF file, or a name on the Hugging Face Hub")
        }
        let directory = URL(fileURLWithPath: model).standardizedFileURL
        // A path that exists is never a name on the Hub.
        hubModel = RegularFile.exists(model) ? nil : HubReference(model)
        tokenizer = options.optionalText(.tokenizer).map { URL(fileURLWithPath: $0).standardizedFileURL }
        servedModelNames = try Self.names(hubModel?.repository ?? Self.name(of: directory), options)
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

    /// Reads the options by their current names.
    public init(flags: [Option: String], environment: [String: String]) throws(ConfigurationError) {
        try self.init(
            flags: flags.map { GivenOption($0.key, as: $0.key.flag, $0.value) }, environment: environment)
    }
}
