import Engine
import Foundation
import HTTP
import Text

extension ServerConfiguration {
    /// Errors name lines and names, never keys.
    mutating func readKeys(_ options: OptionReader) throws(ConfigurationError) {
        var option = Option.apiKey
        do throws(APIKeys.Flaw) {
            if let key = options.text(.apiKey) { try apiKeys.add(key, name: "default") }
            apiKeyFile = options.text(.apiKeyFile)
            if let apiKeyFile {
                option = .apiKeyFile
                try apiKeys.add(fileAt: apiKeyFile)
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

    /// The keys as they stand now: those of the file may have changed since the start.
    ///
    /// - Returns: the keys of all lines that can be read, and what is wrong with the first that cannot.
    /// - Throws: why the file has no key that can be read.
    func currentKeys() throws(APIKeys.Flaw) -> (keys: APIKeys, flaw: APIKeys.Flaw?) {
        var keys = apiKeys
        keys.removeAllFromFile()
        guard let apiKeyFile else { return (keys, nil) }
        let flaw = try keys.addReadable(fileAt: apiKeyFile)
        return (keys, flaw)
    }

    mutating func readConnections(_ options: OptionReader) throws(ConfigurationError) {
        rateLimits.requestsPerMinute = try options.integer(.requestsPerMinute, in: 1...1_000_000_000)
        rateLimits.tokensPerMinute = try options.integer(.tokensPerMinute, in: 1...1_000_000_000_000)
        maxConnections = try options.integer(.maxConnections, in: 1...1_000_000) ?? maxConnections
        maxBodyMemory = try options.size(.maxBodyMemory) ?? maxBodyMemory
        // Of the keys none gets all of it.
        let hasKeys = !apiKeys.isEmpty || apiKeyFile != nil
        let leastMemory = hasKeys ? MemoryBudget.threshold.capacity(forShare: maxBodyBytes) : maxBodyBytes
        if maxBodyMemory < leastMemory {
            throw ConfigurationError(
                option: .maxBodyMemory,
                reason: hasKeys
                    ? "must be \(leastMemory) bytes, so that one key's share holds a body of \(maxBodyBytes) bytes; got \(maxBodyMemory) bytes"
                    : "must hold one request body of \(maxBodyBytes) bytes; got \(maxBodyMemory) bytes")
        }
        if let hosts = options.text(.allowedHosts) {
            guard let allowed = AllowedHosts(hosts) else {
                throw ConfigurationError(
                    option: .allowedHosts,
                    reason:
                        "must be * or host names such as llm.example.com, without ports, with commas between; got '\(hosts)'"
                )
            }
            allowedHosts = allowed
        }
        if let origins = options.text(.corsOrigins) {
            guard let policy = CORSPolicy(origins) else {
                throw ConfigurationError(
                    option: .corsOrigins,
                    reason:
                        "must be * or origins such as https://app.example.com, with commas between; got '\(origins)'")
            }
            cors = policy
        }
        switch (options.text(.tlsCertFile), options.text(.tlsKeyFile)) {
        case (let chain?, let key?):
            let files = TLSFiles(
                certificateChain: chain, privateKey: key, clientAuthorities: options.text(.tlsClientCaFile))
            for (option, path) in [(Option.tlsCertFile, chain), (.tlsKeyFile, key)]
                + (files.clientAuthorities.map { [(.tlsClientCaFile, $0)] } ?? [])
            {
                // libssl would wait for a FIFO.
                do throws(RegularFile.Failure) { try RegularFile.check(path, atMost: 1 << 20) } catch {
                    throw ConfigurationError(option: option, reason: "\(path): \(error)")
                }
            }
            do throws(TLSError) { _ = try TLSContext(files) } catch {
                let option: Option =
                    error.file == chain ? .tlsCertFile : error.file == key ? .tlsKeyFile : .tlsClientCaFile
                throw ConfigurationError(option: option, reason: error.description)
            }
            tls = files
        case (nil, nil):
            if options.text(.tlsClientCaFile) != nil {
                throw ConfigurationError(option: .tlsClientCaFile, reason: "needs \(Option.tlsCertFile.flag)")
            }
        case (_?, nil): throw ConfigurationError(option: .tlsKeyFile, reason: "goes with \(Option.tlsCertFile.flag)")
        case (nil, _?): throw ConfigurationError(option: .tlsCertFile, reason: "goes with \(Option.tlsKeyFile.flag)")
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

    /// What requests may take of memory, and what they, the weights, activations and KV cache take together, for the log. The
    /// program itself and its threads, some 50 MiB, are not in it.
    func requestMemory(beside model: MemoryPlan) -> String {
        let parts = [
            ("bodies, their JSON and prompts", maxBodyMemory), ("unread replies", http.outboundBytes),
            ("grammars", GrammarCompiler.mostLive * CompiledGrammar.mostBytes),
        ]
        let total = parts.reduce(model.weightBytes + model.activationBytes + model.cacheBytes) { $0 + $1.1 }
        return "requests at most: " + parts.map { "\($0.0) \(MemoryPlan.format($0.1))" }.joined(separator: ", ")
            + "; all together \(MemoryPlan.format(total))"
    }

    /// What the HTTP layer is told: its limits, and how its own errors look.
    var http: HTTPConfiguration {
        var http = HTTPConfiguration()
        http.limits.wire.bodyBytes = maxBodyBytes
        http.bodyBudget = MemoryBudget(limit: maxBodyMemory)
        http.maxConnections = maxConnections
        http.errorBody = { [maxBodyBytes] error in
            ("application/json", APIError.wire(error, bodyLimit: maxBodyBytes).json.serialized)
        }
        return http
    }
}
