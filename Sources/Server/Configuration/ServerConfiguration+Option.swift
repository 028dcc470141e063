extension ServerConfiguration {
    /// The options of the server; ``entry`` has the properties of each.
    public enum Option: String, CaseIterable, Sendable {
        case model, tokenizer, servedModelName, maxModelLen, quantization, reasoningParser, toolCallParser,
            trustUserContent
        case threads, cpus, numa, compute, kernels, kvCacheMemoryBytes, kvCacheDtype, enablePrefixCaching,
            sharePrefixCache,
            specMethod, specTokens, stageLayers, rankTimeout
        case maxNumSeqs, maxNumBatchedTokens, performanceMode, maxInterTokenLatency, maxNumQueuedSeqs,
            maxNumQueuedTokens,
            maxQueueWait, watchdogTimeout, shutdownTimeout
        case host, port, maxConnections, maxBodyMemory, webUi, strictParameters
        case apiKey, apiKeyFile, requestsPerMinute, tokensPerMinute, sslCertfile, sslKeyfile, sslCaCerts, allowedHosts,
            allowedOrigins, metricsAccess
        case logLevel, logFormat, metricsCompat, config

        /// The name in a file: `max-model-len`.
        public var name: String {
            rawValue.reduce(into: "") { words, character in
                words += character.isUppercase ? "-" + character.lowercased() : String(character)
            }
        }

        /// The name, followed by earlier names.
        public var names: [String] { [name] + entry.aliases }

        /// The name on the command line: `--max-model-len`.
        public var flag: String { "--" + name }

        /// The name in the environment: `TRINITY_MAX_MODEL_LEN`.
        public var variable: String { Self.variable(name) }

        /// The option with this name or earlier name.
        public init?(named name: String) {
            guard let option = Self.allCases.first(where: { $0.names.contains(name) }) else { return nil }
            self = option
        }

        static let variablePrefix = "TRINITY_"

        /// The environment variable of a name or an earlier name.
        public static func variable(_ name: String) -> String {
            variablePrefix + name.replacing("-", with: "_").uppercased()
        }
    }
}

/// The error of an option with an invalid value.
public struct ConfigurationError: Error, Hashable, Sendable, CustomStringConvertible {
    public let option: ServerConfiguration.Option
    public let reason: String

    public var description: String { "\(option.flag) (\(option.variable)): \(reason)" }
}
