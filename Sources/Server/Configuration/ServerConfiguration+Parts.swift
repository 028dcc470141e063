import Basics
import ChatTemplates
import Engine
import Foundation
import Grammars
import HTTP
import Scheduling

extension ServerConfiguration {
    /// The names of the model in the API.
    static func names(_ standard: String, _ options: OptionReader) throws(ConfigurationError) -> [String] {
        guard let text = options.optionalText(.servedModelName) else { return [standard] }
        var names: [String] = []
        for part in text.split(separator: ",", omittingEmptySubsequences: false) {
            let name = part.trimmingCharacters(in: .whitespaces)
            if name.isEmpty { throw ConfigurationError(option: .servedModelName, reason: "must not be empty") }
            if !names.contains(where: { $0.utf8.elementsEqual(name.utf8) }) { names.append(name) }
        }
        return names
    }

    /// The default name of a model: the name of its folder. For a snapshot in the Hugging Face cache, whose folder name is a hash,
    /// it is the name of the repository. For a GGUF file, it is the file name without the extension.
    static func name(of directory: URL) -> String {
        if directory.pathExtension.lowercased() == "gguf" { return directory.deletingPathExtension().lastPathComponent }
        let parts = directory.pathComponents.suffix(3)
        guard parts.count == 3, parts.dropFirst().first == "snapshots", let folder = parts.first else {
            return directory.lastPathComponent
        }
        let words = folder.components(separatedBy: "--")
        guard words.count >= 2, words[0] == "models", !words.contains("") else { return directory.lastPathComponent }
        return words.dropFirst().joined(separator: "/")
    }

    private static func cpus(_ options: OptionReader) throws(ConfigurationError) -> CPUList? {
        guard let text = options.optionalText(.cpus) else { return nil }
        guard let cpus = CPUList(text), !cpus.numbers.isEmpty else {
            throw ConfigurationError(
                option: .cpus, reason: "must be a list of CPUs such as 0-15,32-47; got '\(text)'")
        }
        return cpus
    }

    /// The options of the engine.
    static func engine(_ directory: URL, _ options: OptionReader) throws(ConfigurationError) -> EngineOptions {
        var engine = EngineOptions(modelDirectory: directory)
        engine.threads = try options.optionalInteger(.threads)
        engine.cpus = try cpus(options)
        engine.numa = try options.choice(.numa)
        engine.maxModelLength = try options.optionalInteger(.maxModelLen)
        engine.maxSequences = try options.integer(.maxNumSeqs)
        engine.maxBatchedTokens = try options.integer(.maxNumBatchedTokens)
        if engine.maxBatchedTokens < engine.maxSequences {
            throw ConfigurationError(
                option: .maxNumBatchedTokens,
                reason: """
                    must be at least \(Option.maxNumSeqs.flag) (\(engine.maxSequences)), because each running sequence \
                    takes one token of a step; got \(engine.maxBatchedTokens)
                    """)
        }
        engine.maxQueuedSequences = try options.integer(.maxNumQueuedSeqs)
        engine.prefillPolicy = try prefillPolicy(options)
        engine.kvCacheMemory = try options.optionalSize(.kvCacheMemoryBytes)
        engine.kvCacheType = try options.optionalChoice(.kvCacheDtype)
        engine.cachesPrefixes = try options.bool(.enablePrefixCaching)
        let draftTokens = try options.optionalInteger(.specTokens)
        switch try options.choice(.specMethod) as Speculation {
        case .ngram: engine.speculativeTokens = draftTokens ?? Self.defaultSpeculativeTokens
        case .off:
            if draftTokens != nil {
                throw ConfigurationError(option: .specTokens, reason: "requires \(Option.specMethod.flag) ngram")
            }
        }
        engine.compute = try options.choice(.compute)
        engine.kernels = try options.optionalChoice(.kernels)
        engine.quantization = try options.choice(.quantization)
        engine.rankTimeout = try options.time(.rankTimeout)
        engine.stageLayers = try options.optionalText(.stageLayers).map { text throws(ConfigurationError) in
            let counts = text.split(separator: ",", omittingEmptySubsequences: false).map { Int($0) ?? 0 }
            guard counts.count <= 4096, counts.allSatisfy({ (1...100_000).contains($0) }) else {
                throw ConfigurationError(
                    option: .stageLayers, reason: "must be numbers of layers such as 10,7,7,8; got '\(text)'")
            }
            return counts
        }
        return engine
    }

    /// Returns the policy. An explicit time takes precedence over the mode.
    private static func prefillPolicy(_ options: OptionReader) throws(ConfigurationError) -> PrefillPolicy {
        let mode = try options.choice(.performanceMode) as PerformanceMode
        guard options.isAuto(.maxInterTokenLatency) else {
            return try options.time(.maxInterTokenLatency).map(PrefillPolicy.within) ?? .unbounded
        }
        return switch mode {
        case .balanced: .balanced
        case .interactivity: .interactive
        case .throughput: .unbounded
        }
    }

    /// Reads the API keys. Errors contain lines and names, never keys.
    mutating func readKeys(_ options: OptionReader) throws(ConfigurationError) {
        var option = Option.apiKey
        do throws(APIKeys.Flaw) {
            if let key = options.optionalText(.apiKey) { try apiKeys.add(key, name: "default") }
            apiKeyFile = options.optionalText(.apiKeyFile)
            if let apiKeyFile {
                option = .apiKeyFile
                try apiKeys.add(fileAt: apiKeyFile)
            }
        } catch {
            throw ConfigurationError(option: option, reason: error.reason)
        }
        if metricsNeedKey, apiKeys.isEmpty {
            throw ConfigurationError(
                option: .metricsAccess, reason: "key requires \(Option.apiKey.flag) or \(Option.apiKeyFile.flag)")
        }
    }

    /// Returns the current keys. Those of the file may have changed since the start.
    ///
    /// - Returns: the keys of all valid lines, and the first error.
    /// - Throws: why the file has no valid key.
    func currentKeys() throws(APIKeys.Flaw) -> (keys: APIKeys, flaw: APIKeys.Flaw?) {
        var keys = apiKeys
        keys.removeAllFromFile()
        guard let apiKeyFile else { return (keys, nil) }
        let flaw = try keys.addReadable(fileAt: apiKeyFile)
        return (keys, flaw)
    }

    mutating func readConnections(_ options: OptionReader) throws(ConfigurationError) {
        rateLimits.requestsPerMinute = try options.optionalInteger(.requestsPerMinute)
        rateLimits.tokensPerMinute = try options.optionalInteger(.tokensPerMinute)
        // With API keys, a single key cannot use all of the memory.
        let hasKeys = !apiKeys.isEmpty || apiKeyFile != nil
        let leastMemory = hasKeys ? MemoryBudget.threshold.capacity(forShare: maxBodyBytes) : maxBodyBytes
        if maxBodyMemory < leastMemory {
            throw ConfigurationError(
                option: .maxBodyMemory,
                reason: hasKeys
                    ? """
                    must be at least \(leastMemory) bytes, so that one key's share holds a body of \(maxBodyBytes) bytes; \
                    got \(maxBodyMemory) bytes
                    """
                    : "must have room for one request body of \(maxBodyBytes) bytes; got \(maxBodyMemory) bytes")
        }
        if let hosts = options.optionalText(.allowedHosts) {
            guard let allowed = AllowedHosts(hosts) else {
                throw ConfigurationError(
                    option: .allowedHosts,
                    reason: """
                        must be * or host names without ports, separated by commas, such as llm.example.com; got '\(hosts)'
                        """)
            }
            allowedHosts = allowed
        }
        if let origins = options.optionalText(.allowedOrigins) {
            guard let policy = CORSPolicy(origins) else {
                throw ConfigurationError(
                    option: .allowedOrigins,
                    reason:
                        "must be * or origins separated by commas, such as https://app.example.com; got '\(origins)'")
            }
            cors = policy
        }
        switch (options.optionalText(.sslCertfile), options.optionalText(.sslKeyfile)) {
        case (let chain?, let key?):
            let files = TLSFiles(
                certificateChain: chain, privateKey: key, clientAuthorities: options.optionalText(.sslCaCerts))
            for (option, path) in [(Option.sslCertfile, chain), (.sslKeyfile, key)]
                + (files.clientAuthorities.map { [(.sslCaCerts, $0)] } ?? [])
            {
                // libssl would block on a FIFO.
                do throws(RegularFile.Failure) { try RegularFile.check(path, atMost: 1 << 20) } catch {
                    throw ConfigurationError(option: option, reason: "\(path): \(error)")
                }
            }
            do throws(TLSError) { _ = try TLSContext(files) } catch {
                let option: Option =
                    error.file == chain ? .sslCertfile : error.file == key ? .sslKeyfile : .sslCaCerts
                throw ConfigurationError(option: option, reason: error.description)
            }
            tls = files
        case (nil, nil):
            if options.optionalText(.sslCaCerts) != nil {
                throw ConfigurationError(option: .sslCaCerts, reason: "requires \(Option.sslCertfile.flag)")
            }
        case (_?, nil):
            throw ConfigurationError(option: .sslKeyfile, reason: "must be given with \(Option.sslCertfile.flag)")
        case (nil, _?):
            throw ConfigurationError(option: .sslCertfile, reason: "must be given with \(Option.sslKeyfile.flag)")
        }
    }

    /// Returns the syntax of the model's replies. The options override the syntax that the chat template shows.
    func outputSyntax(shown: ChatOutputSyntax) -> ChatOutputSyntax {
        var syntax = shown
        switch reasoningParser {
        case .auto: break
        case .none: syntax.reasons = false
        case .think: syntax.reasons = true
        case .deepseekR1: (syntax.reasons, syntax.beginsInReasoning) = (true, true)
        }
        switch toolCallParser {
        case .auto: break
        case .none: syntax.calls = nil
        case .hermes: syntax.calls = .json
        case .qwen3Coder: syntax.calls = .xml
        }
        return syntax
    }

    /// Describes the maximum memory of requests, and its total with the weights, activations and KV cache, for the log. The
    /// program itself and its threads, about 50 MiB, are not included.
    func requestMemory(beside model: MemoryPlan) -> String {
        let parts = [
            ("bodies, their JSON and prompts", maxBodyMemory), ("unread replies", http.outboundBytes),
            ("grammars", GrammarCompiler.mostLive * CompiledGrammar.mostBytes),
        ]
        let total = parts.reduce(model.weightBytes + model.activationBytes + model.cacheBytes) { $0 + $1.1 }
        return "requests at most: " + parts.map { "\($0.0) \(MemoryPlan.format($0.1))" }.joined(separator: ", ")
            + "; all together \(MemoryPlan.format(total))"
    }

    /// Whether a thread that polls leaves a CPU to others.
    private static let hasSeveralCPUs = ThreadPlan.available() > 1

    /// The configuration of the HTTP layer: its limits, and the form of its errors.
    var http: HTTPConfiguration {
        var http = HTTPConfiguration()
        http.limits.wire.bodyBytes = maxBodyBytes
        http.bodyBudget = MemoryBudget(limit: maxBodyMemory)
        http.maxConnections = maxConnections
        if !Self.hasSeveralCPUs { http.polling = .zero }
        http.errorBody = { [maxBodyBytes] error in
            ("application/json", APIError.wire(error, bodyLimit: maxBodyBytes).json.serialized)
        }
        return http
    }
}
