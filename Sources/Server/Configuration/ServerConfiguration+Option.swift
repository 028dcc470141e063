import Configuration

extension ServerConfiguration {
    /// The names of the options: flag `--max-model-len`, variable `TRINITY_MAX_MODEL_LEN`, key `trinity.maxModelLen`, in a file
    /// `max-model-len`.
    public enum Option: String, CaseIterable, Sendable {
        case model, host, port, servedModelName, threads, maxModelLen, maxSequences, maxBatchedTokens
        case maxInterTokenLatency, maxQueuedRequests, maxQueuedTokens, maxQueueWait, kvCacheMemory, kvCacheDtype,
            prefixCache, sharePrefixCache, speculative, speculativeTokens, compute, kernels, weights, drainTimeout,
            watchdogTimeout
        case apiKey, apiKeyFile, requestsPerMinute, tokensPerMinute, metricsAccess, metricsCompat, corsOrigins,
            allowedHosts, webPage
        case tlsCertFile, tlsKeyFile, tlsClientCaFile, maxConnections, maxBodyMemory, config
        case logLevel, logFormat, trustUserContent, reasoningParser, toolCallParser

        var key: ConfigKey { ConfigKey(["trinity", rawValue]) }

        /// As on the command line: `--max-model-len`.
        public var flag: String { "--" + name }

        /// As in a file: `max-model-len`.
        public var name: String { words("-") }

        /// What `trinity config` and errors never show.
        public var isSecret: Bool { self == .apiKey }

        /// As in the environment: `TRINITY_MAX_MODEL_LEN`.
        public var variable: String { Self.variablePrefix + words("_").uppercased() }

        static let variablePrefix = "TRINITY_"

        private func words(_ separator: String) -> String {
            rawValue.reduce(into: "") { words, character in
                words += character.isUppercase ? separator + character.lowercased() : String(character)
            }
        }
    }
}

/// A setting that cannot be used.
public struct ConfigurationError: Error, Hashable, Sendable, CustomStringConvertible {
    public let option: ServerConfiguration.Option
    public let reason: String

    public var description: String { "\(option.flag) (\(option.variable)): \(reason)" }
}
