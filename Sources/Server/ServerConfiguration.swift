import Configuration
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
    /// Bytes of a request body; a larger one is a 413.
    public var maxBodyBytes = 32 << 20
    /// Who is let in.
    public var apiKeys = APIKeys()
    /// Whether `/metrics` asks for a key too, where there are keys.
    public var metricsNeedKey = false
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

    /// The names of the options: flag `--max-model-len`, variable `TRINITY_MAX_MODEL_LEN`, key `trinity.maxModelLen`.
    public enum Option: String, CaseIterable, Sendable {
        case model, host, port, servedModelName, threads, maxModelLen, maxSequences, maxBatchedTokens
        case maxInterTokenLatency, maxQueuedRequests, maxQueuedTokens, maxQueueWait, kvCacheMemory, kvCacheDtype,
            prefixCache, speculative, speculativeTokens, compute, kernels, weights, drainTimeout
        case apiKey, apiKeyFile, metricsAccess
        case logLevel, logFormat, trustUserContent, reasoningParser, toolCallParser

        var key: ConfigKey { ConfigKey(["trinity", rawValue]) }

        /// As on the command line: `--max-model-len`.
        public var flag: String { "--" + words("-") }

        /// As in the environment: `TRINITY_MAX_MODEL_LEN`.
        public var variable: String { Self.variablePrefix + words("_").uppercased() }

        static let variablePrefix = "TRINITY_"

        private func words(_ separator: String) -> String {
            rawValue.reduce(into: "") { words, character in
                words += character.isUppercase ? separator + character.lowercased() : String(character)
            }
        }
    }

    /// Reads the options: a flag wins over the environment, which wins over the default.
    ///
    /// - Parameters:
    ///   - flags: the flags that were given, as text.
    ///   - environment: the process's environment.
    /// - Throws: `ConfigurationError` with the option, its bound and the value.
    public init(flags: [Option: String], environment: [String: String]) throws(ConfigurationError) {
        let values = flags.map { (AbsoluteConfigKey($0.key.key), ConfigValue(.string($0.value), isSecret: false)) }
        let reader = ConfigReader(providers: [
            InMemoryProvider(name: "flags", values: Dictionary(uniqueKeysWithValues: values)),
            EnvironmentVariablesProvider(environmentVariables: environment),
        ])
        let options = OptionReader(reader: reader)
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
        trustsUserContent = try options.bool(.trustUserContent) ?? trustsUserContent
        reasoningParser = try options.choice(.reasoningParser) ?? reasoningParser
        toolCallParser = try options.choice(.toolCallParser) ?? toolCallParser
        try readKeys(options)
        logLevel = try options.choice(.logLevel) ?? logLevel
        logFormat = try options.choice(.logFormat) ?? logFormat
    }
}

extension ServerConfiguration {
    /// Errors name lines and names, never keys.
    private mutating func readKeys(_ options: OptionReader) throws(ConfigurationError) {
        var option = Option.apiKey
        do throws(APIKeys.Flaw) {
            if let key = options.text(.apiKey) { try apiKeys.add(key, name: "default") }
            if let path = options.text(.apiKeyFile) {
                option = .apiKeyFile
                guard let text = try? String(contentsOfFile: path, encoding: .utf8) else {
                    throw APIKeys.Flaw(reason: "cannot read '\(path)'")
                }
                try apiKeys.add(file: text)
                // A file that was meant to close the server must not leave it open.
                if apiKeys.isEmpty { throw APIKeys.Flaw(reason: "'\(path)' has no key") }
            }
        } catch {
            throw ConfigurationError(option: option, reason: error.reason)
        }
        let access: MetricsAccess? = try options.choice(.metricsAccess)
        metricsNeedKey = access == .key
        if metricsNeedKey, apiKeys.isEmpty {
            throw ConfigurationError(option: .metricsAccess, reason: "key needs keys, and there are none")
        }
    }

    /// How the model's replies are written, where the template's own format is `shown`.
    func outputFormat(shown: ChatOutputFormat) -> ChatOutputFormat {
        var format = shown
        switch reasoningParser {
        case .auto: break
        case .none: format.reasons = false
        case .think: format.reasons = true
        case .deepseekR1: (format.reasons, format.beginsInReasoning) = (true, true)
        }
        switch toolCallParser {
        case .auto: break
        case .none: format.calls = nil
        case .hermes: format.calls = .json
        case .qwen3Coder: format.calls = .xml
        }
        return format
    }

    /// What the HTTP layer is told: its limits, and how its own errors look.
    var http: HTTPConfiguration {
        var http = HTTPConfiguration()
        http.limits.wire.bodyBytes = maxBodyBytes
        http.errorBody = { [maxBodyBytes] error in
            ("application/json", APIError.wire(error, bodyLimit: maxBodyBytes).json.serialized)
        }
        return http
    }
}

/// A setting that cannot be used.
public struct ConfigurationError: Error, Hashable, Sendable, CustomStringConvertible {
    public let option: ServerConfiguration.Option
    public let reason: String

    public var description: String { "\(option.flag) (\(option.variable)): \(reason)" }
}

/// Reads one option at a time as text and checks it, so that a bad value is an error and never a silent default.
private struct OptionReader {
    let reader: ConfigReader

    func text(_ option: ServerConfiguration.Option) -> String? {
        reader.string(forKey: option.key)
    }

    func integer(_ option: ServerConfiguration.Option, in bounds: ClosedRange<Int>) throws(ConfigurationError) -> Int? {
        guard let text = text(option) else { return nil }
        guard let value = Int(text), bounds.contains(value) else {
            throw ConfigurationError(
                option: option,
                reason: "must be a whole number from \(bounds.lowerBound) to \(bounds.upperBound); got '\(text)'")
        }
        return value
    }

    func bool(_ option: ServerConfiguration.Option) throws(ConfigurationError) -> Bool? {
        guard let text = text(option) else { return nil }
        guard let value = Bool(text) else {
            throw ConfigurationError(option: option, reason: "must be true or false; got '\(text)'")
        }
        return value
    }

    /// Bytes: a whole number, or one with a binary unit as in "512MiB", "4GB", "2g".
    func size(_ option: ServerConfiguration.Option) throws(ConfigurationError) -> Int? {
        guard let text = text(option) else { return nil }
        let digits = text.prefix { $0.isASCII && $0.isNumber }
        let unit = text.dropFirst(digits.count).lowercased()
        let shifts = [
            "": 0, "b": 0, "k": 10, "kb": 10, "kib": 10, "m": 20, "mb": 20, "mib": 20, "g": 30, "gb": 30, "gib": 30,
            "t": 40, "tb": 40, "tib": 40,
        ]
        guard let number = Int(digits), number > 0, let shift = shifts[unit], number <= Int.max >> shift else {
            throw ConfigurationError(option: option, reason: "must be a size such as 512MiB or 4GiB; got '\(text)'")
        }
        return number << shift
    }

    /// A number with a unit as in "200ms", "1.5s", "2m".
    func duration(_ option: ServerConfiguration.Option, atMost longest: Duration) throws(ConfigurationError)
        -> Duration?
    {
        guard let text = text(option) else { return nil }
        let digits = text.prefix { $0.isASCII && $0.isNumber || $0 == "." }
        let units = ["ms": 0.001, "s": 1, "m": 60]
        guard let number = Double(digits), let unit = units[String(text.dropFirst(digits.count))],
            number > 0, number * unit <= longest / .seconds(1)
        else {
            throw ConfigurationError(
                option: option,
                reason: "must be a time such as 200ms, 1.5s or 2m, of at most \(longest), or off; got '\(text)'")
        }
        return .seconds(number * unit)
    }

    /// `nil` when the option is "off", the default when it is not given.
    func unlessOff<Value>(
        _ option: ServerConfiguration.Option, _ value: Value?, read: () throws(ConfigurationError) -> Value?
    ) throws(ConfigurationError) -> Value? {
        text(option) == "off" ? nil : try read() ?? value
    }

    func choice<Value: RawRepresentable<String> & CaseIterable>(
        _ option: ServerConfiguration.Option
    ) throws(ConfigurationError) -> Value? {
        guard let text = text(option) else { return nil }
        guard let value = Value(rawValue: text) else {
            let choices = Value.allCases.map(\.rawValue).joined(separator: ", ")
            throw ConfigurationError(option: option, reason: "must be one of \(choices); got '\(text)'")
        }
        return value
    }
}
