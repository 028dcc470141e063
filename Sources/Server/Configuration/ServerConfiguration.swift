import Engine
import Foundation
import HTTP
import Logging
import Scheduling
import Text

/// Everything that can be set, from flags and environment (`TRINITY_...`), checked and with its defaults.
public struct ServerConfiguration: Sendable {
    /// The model that the repository carries, seen from the repository's root as the working directory.
    public static let defaultSpeculativeTokens = 8
    public static let defaultModel = "Models/trinity-tiny"

    public var host = "127.0.0.1"
    /// 0 lets the system choose.
    public var port = 8000
    /// The name that requests use; by default the model folder's.
    public var servedModelName: String
    public var engine: EngineOptions
    /// What may wait for its first token, beside `engine.maxQueuedSequences`.
    public var queueBounds = QueueBounds(tokens: 262_144, wait: .seconds(120))
    /// How long running requests may take to finish after SIGTERM.
    public var drainTimeout = Duration.seconds(30)
    /// How long a request may take from its arrival to the engine, however long its own timeout is.
    public var preparationTimeout = Duration.seconds(60)
    /// Whether requests of different API keys may find each other's prompts in the prefix cache.
    public var sharesPrefixCache = false
    /// How long a step of the engine may take before `/health` is 503; `nil`: nobody looks. A step of 512 tokens of the
    /// largest model takes seconds on a slow CPU, and one of 8,192 tokens some ten times as long.
    public var watchdogTimeout: Duration? = .seconds(60)
    /// Bytes of a request body; a larger one is a 413.
    public var maxBodyBytes = 32 << 20
    /// Bytes of all request bodies, their JSON, prompts and replies about text that are held at a time, beyond the first 64 KiB of
    /// each; above it 503. Of several keys one gets 3/4 at most.
    public var maxBodyMemory = 512 << 20
    /// Who is let in, and how much each may ask for.
    public var apiKeys = APIKeys()
    /// Where other keys stand.
    public var apiKeyFile: String?
    /// For keys without limits of their own, and for all requests together where there are no keys.
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
    /// Seconds between two looks at the files of certificates and keys.
    var reloadInterval = 5.0
    /// Connections at a time, beside a few for probes and scrapes.
    public var maxConnections = 1024
    /// Whether `/metrics` asks for a key too, where there are keys.
    public var metricsNeedKey = false
    /// Whether `/metrics` also has names that vLLM had before.
    public var metricsIncludeOldNames = false
    /// Whether there is a page to chat at `/`.
    public var servesPage = true
    /// Whether special tokens that users and tools write are meant as such, instead of being ordinary text.
    public var trustsUserContent = false
    public var logLevel = Logger.Level.info
    public var logFormat = LogFormat.text

    /// How log lines look.
    public enum LogFormat: String, Sendable, CaseIterable {
        case text, json
    }

    /// A feature that is there or not.
    public enum Switch: String, Sendable, CaseIterable {
        case on, off
    }

    /// Where reasoning stands in replies.
    public enum ReasoningParser: String, Sendable, CaseIterable {
        /// As the chat template shows.
        case auto
        case none
        /// Between `<think>` and `</think>`.
        case think
        /// The same, and a reply begins inside it unless the prompt says otherwise.
        case deepseekR1 = "deepseek_r1"
    }

    /// How replies call tools.
    public enum ToolCallParser: String, Sendable, CaseIterable {
        /// As the chat template shows.
        case auto
        case none, hermes
        case qwen3Coder = "qwen3_coder"
    }

    /// After how long without anything to say a stream sends a comment, so that nobody takes it for dead.
    public var keepAliveInterval = Duration.seconds(15)
    public var reasoningParser = ReasoningParser.auto
    public var toolCallParser = ToolCallParser.auto

    /// Who may read `/metrics`.
    public enum MetricsAccess: String, Sendable, CaseIterable {
        case open, key
    }

    /// How tokens that follow are guessed.
    public enum Speculation: String, Sendable, CaseIterable {
        case off, ngram
    }

    /// Variables of the environment that look like options and are none; `run` warns of them.
    public let unknownVariables: [String]
    /// Where each option that is not at its default was read, for `trinity config`.
    let sources: [Option: (text: String, source: OptionReader.Source)]

    /// Reads the options: a flag wins over the environment, which wins over the file that `--config` names, which wins over
    /// the default.
    ///
    /// - Parameters:
    ///   - flags: the flags that were given, as text.
    ///   - environment: the process's environment.
    /// - Throws: `ConfigurationError` with the option, its bound and the value.
    public init(flags: [Option: String], environment: [String: String]) throws(ConfigurationError) {
        let options = try OptionReader(flags: flags, environment: environment)
        sources = options.sources
        let variables = Set(Option.allCases.map(\.variable))
        unknownVariables = environment.keys
            .filter { $0.hasPrefix(Option.variablePrefix) && !variables.contains($0) }.sorted()

        let model = options.text(.model) ?? Self.defaultModel
        if model.isEmpty { throw ConfigurationError(option: .model, reason: "name the folder of a model") }
        let directory = URL(fileURLWithPath: model).standardizedFileURL
        engine = EngineOptions(modelDirectory: directory)
        servedModelName = options.text(.servedModelName) ?? directory.lastPathComponent
        if servedModelName.isEmpty { throw ConfigurationError(option: .servedModelName, reason: "must not be empty") }
        host = options.text(.host) ?? host
        port = try options.integer(.port, in: 0...65535) ?? port
        engine.threads = try options.integer(.threads, in: 1...1024)
        engine.maxModelLength = try options.integer(.maxModelLen, in: 1...(1 << 30))
        engine.maxSequences = try options.integer(.maxSequences, in: 1...4096) ?? engine.maxSequences
        engine.maxBatchedTokens = try options.integer(.maxBatchedTokens, in: 1...65536) ?? engine.maxBatchedTokens
        if engine.maxBatchedTokens < engine.maxSequences {
            throw ConfigurationError(
                option: .maxBatchedTokens,
                reason: """
                    must be at least \(Option.maxSequences.flag) (\(engine.maxSequences)), for each running sequence \
                    takes one token a step; got \(engine.maxBatchedTokens)
                    """)
        }
        engine.maxQueuedSequences =
            try options.integer(.maxQueuedRequests, in: 0...1_000_000) ?? engine.maxQueuedSequences
        queueBounds.tokens = try options.unlessOff(.maxQueuedTokens, queueBounds.tokens) {
            () throws(ConfigurationError) in try options.integer(.maxQueuedTokens, in: 1...(1 << 40))
        }
        queueBounds.wait = try options.unlessOff(.maxQueueWait, queueBounds.wait) {
            () throws(ConfigurationError) in try options.duration(.maxQueueWait, atMost: .seconds(86400))
        }
        engine.maxInterTokenLatency = try options.unlessOff(.maxInterTokenLatency, engine.maxInterTokenLatency) {
            () throws(ConfigurationError) in try options.duration(.maxInterTokenLatency, atMost: .seconds(3600))
        }
        engine.kvCacheMemory = try options.size(.kvCacheMemory)
        engine.kvCacheType = try options.choice(.kvCacheDtype)
        let prefixCache: Switch? = try options.choice(.prefixCache)
        engine.cachesPrefixes = prefixCache != .off
        sharesPrefixCache = try options.bool(.sharePrefixCache) ?? sharesPrefixCache
        let speculativeTokens = try options.integer(.speculativeTokens, in: 1...64)
        let speculation: Speculation = try options.choice(.speculative) ?? .off
        if speculation == .ngram {
            engine.speculativeTokens = speculativeTokens ?? Self.defaultSpeculativeTokens
        } else if speculativeTokens != nil {
            throw ConfigurationError(
                option: .speculativeTokens, reason: "is only for \(Option.speculative.flag) ngram, which is off")
        }
        engine.compute = try options.choice(.compute) ?? engine.compute
        engine.kernels = try options.choice(.kernels)
        engine.weightFormat = try options.choice(.weights) ?? engine.weightFormat
        drainTimeout = .seconds(try options.integer(.drainTimeout, in: 0...86400) ?? 30)
        watchdogTimeout = try options.unlessOff(.watchdogTimeout, watchdogTimeout) {
            () throws(ConfigurationError) in try options.duration(.watchdogTimeout, atMost: .seconds(86400))
        }
        trustsUserContent = try options.bool(.trustUserContent) ?? trustsUserContent
        reasoningParser = try options.choice(.reasoningParser) ?? reasoningParser
        toolCallParser = try options.choice(.toolCallParser) ?? toolCallParser
        metricsIncludeOldNames = try options.bool(.metricsCompat) ?? metricsIncludeOldNames
        let page: Switch? = try options.choice(.webPage)
        servesPage = page != .off
        try readKeys(options)
        try readConnections(options)
        logLevel = try options.choice(.logLevel) ?? logLevel
        logFormat = try options.choice(.logFormat) ?? logFormat
    }
}
