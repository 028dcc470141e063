import Text

/// What is in force, for `trinity config`.
extension ServerConfiguration {
    /// One option a line: its name, its value and where that is from. `-` is a value that there is none of, or that the
    /// server finds when it starts.
    public var table: String {
        let rows = Option.allCases.map { option in
            (option.name, shown(option) ?? "-", sources[option]?.source.rawValue ?? "default")
        }
        let widths = (rows.map(\.0.count).max() ?? 0, rows.map(\.1.count).max() ?? 0)
        return rows.map { name, value, source in
            name.padded(to: widths.0 + 2) + value.padded(to: widths.1 + 2) + source
        }.joined(separator: "\n")
    }

    /// A file for `--config` with what is not at its default. Secrets are left out: a file of them is the key file.
    public var fileText: String {
        var object = JSONObject()
        for option in Option.allCases where option != .config && !option.isSecret {
            if let text = sources[option]?.text { object[option.name] = .string(text) }
        }
        return String(decoding: JSONValue.object(object).serialized, as: UTF8.self)
    }

    private func shown(_ option: Option) -> String? {
        guard let text = sources[option]?.text else { return defaultText(option) }
        return option.isSecret ? "(hidden)" : text
    }

    /// Nothing of it was given, so that what is in force is the default.
    private func defaultText(_ option: Option) -> String? {
        switch option {
        case .model: Self.defaultModel
        case .host: host
        case .port: String(port)
        case .servedModelName: servedModelName
        case .maxSequences: String(engine.maxSequences)
        case .maxBatchedTokens: String(engine.maxBatchedTokens)
        case .maxInterTokenLatency: engine.maxInterTokenLatency.map(Self.text)
        case .maxQueuedRequests: String(engine.maxQueuedSequences)
        case .maxQueuedTokens: queueBounds.tokens.map { String($0) }
        case .maxQueueWait: queueBounds.wait.map(Self.text)
        case .kvCacheDtype: engine.cacheType.rawValue
        case .prefixCache: (engine.cachesPrefixes ? Switch.on : .off).rawValue
        case .speculative: (engine.speculativeTokens == nil ? Speculation.off : .ngram).rawValue
        case .speculativeTokens: engine.speculativeTokens.map { String($0) }
        case .compute: engine.compute.rawValue
        case .weights: engine.weightFormat.rawValue
        case .drainTimeout: String(Int(drainTimeout / .seconds(1)))
        case .watchdogTimeout: watchdogTimeout.map(Self.text)
        case .metricsAccess: (metricsNeedKey ? MetricsAccess.key : .open).rawValue
        case .metricsCompat: String(metricsIncludeOldNames)
        case .webPage: (servesPage ? Switch.on : .off).rawValue
        case .maxConnections: String(maxConnections)
        case .maxBodyMemory: "\(maxBodyMemory >> 20)MiB"
        case .logLevel: logLevel.rawValue
        case .logFormat: logFormat.rawValue
        case .sharePrefixCache: String(sharesPrefixCache)
        case .trustUserContent: String(trustsUserContent)
        case .reasoningParser: reasoningParser.rawValue
        case .toolCallParser: toolCallParser.rawValue
        case .threads, .maxModelLen, .kvCacheMemory, .kernels: nil
        case .apiKey, .apiKeyFile, .requestsPerMinute, .tokensPerMinute, .corsOrigins, .allowedHosts: nil
        case .tlsCertFile, .tlsKeyFile, .tlsClientCaFile, .config: nil
        }
    }

    private static func text(_ duration: Duration) -> String { "\(Int(duration / .milliseconds(1)))ms" }
}

extension String {
    fileprivate func padded(to width: Int) -> String { self + String(repeating: " ", count: max(0, width - count)) }
}
