import Engine
import Foundation
import Scheduling
import TestSupport
import Testing

@testable import Server

@Suite struct ServerConfigurationTests {
    @Test func `without flags the defaults apply`() throws {
        let configuration = try ServerConfiguration(flags: [.model: "/models/trinity-mini/"], environment: [:])
        #expect(configuration.host == "127.0.0.1")
        #expect(configuration.port == 8000)
        #expect(configuration.servedModelName == "trinity-mini")
        #expect(configuration.engine.compute == .fast && configuration.engine.kernels == nil)
        #expect(configuration.engine.kvCacheType == nil)
        #expect(configuration.engine.cachesPrefixes)
        #expect(configuration.engine.prefillPolicy == .balanced)
        #expect(configuration.queueBounds == QueueBounds(tokens: 262_144, wait: .seconds(120)))
    }

    @Test(arguments: [
        ("/hub/models--arcee-ai--Trinity-Mini/snapshots/0a1b", "arcee-ai/Trinity-Mini"),
        ("/hub/models--gpt2/snapshots/0a1b/", "gpt2"), ("/models--a--b/snapshots", "snapshots"),
        ("/datasets--a--b/snapshots/0a1b", "0a1b"),
        ("/models/Trinity-Nano-Q4_K_M.gguf", "Trinity-Nano-Q4_K_M"), ("/models--/snapshots/0a1b", "0a1b"),
        ("/a/snapshots/c", "c"),
    ])
    func `a snapshot in the Hugging Face cache has the name of its repository`(path: String, name: String) throws {
        #expect(try ServerConfiguration(flags: [.model: path], environment: [:]).servedModelName == name)
    }

    @Test func `a name on the Hub is one only where no path is`() throws {
        let configuration = try ServerConfiguration(
            flags: [.model: "arcee-ai/Trinity-Mini@main:Q4_K_M"], environment: [:])
        #expect(configuration.hubModel?.repository == "arcee-ai/Trinity-Mini")
        #expect(configuration.servedModelName == "arcee-ai/Trinity-Mini")
        for path in ["./arcee-ai/Trinity-Mini", "/arcee-ai/Trinity-Mini", "Trinity-Mini", "a/b/c"] {
            #expect(try ServerConfiguration(flags: [.model: path], environment: [:]).hubModel == nil, "\(path)")
        }
    }

    @Test func `a model has several names`() throws {
        let option = ServerConfiguration.Option.servedModelName
        let given = ["a, b", "c", "a"].map { GivenOption(option, as: option.flag, $0) }
        let configuration = try ServerConfiguration(flags: given, environment: [:])
        #expect(configuration.servedModelNames == ["a", "b", "c"] && configuration.servedModelName == "a")
        for text in ["", "a,", ",", "a,,b", " "] {
            #expect(throws: ConfigurationError.self) {
                try ServerConfiguration(flags: [option: text], environment: [:])
            }
        }
        let both = [GivenOption(.port, as: "--port", "1"), GivenOption(.port, as: "--port", "2")]
        #expect(throws: ConfigurationError.self) { try ServerConfiguration(flags: both, environment: [:]) }
    }

    @Test func `the defaults of the table are those of the engine`() throws {
        let configuration = try ServerConfiguration(flags: [:], environment: [:])
        let engine = EngineOptions(modelDirectory: configuration.engine.modelDirectory)
        #expect(String(describing: configuration.engine) == String(describing: engine))
    }

    @Test func `the environment is read and a flag overrides it`() throws {
        let environment = [
            "TRINITY_MODEL": "/a", "TRINITY_PORT": "9000", "TRINITY_MAX_MODEL_LEN": "4096",
            "TRINITY_KV_CACHE_DTYPE": "bf16", "TRINITY_ENABLE_PREFIX_CACHING": "false",
        ]
        let configuration = try ServerConfiguration(flags: [.port: "9001"], environment: environment)
        #expect(configuration.port == 9001)
        #expect(configuration.engine.maxModelLength == 4096)
        #expect(configuration.engine.kvCacheType == .bf16)
        #expect(configuration.engine.modelDirectory.path == "/a")
        #expect(!configuration.engine.cachesPrefixes)
    }

    @Test(
        arguments: [
            (.port, "65536", "must be a whole number from 0 to 65535; got '65536'"),
            (.port, "http", "must be a whole number from 0 to 65535; got 'http'"),
            (.threads, "0", "must be a whole number from 1 to 1024; got '0'"),
            (.kvCacheDtype, "f64", "must be one of f32, bf16, fp8; got 'f64'"),
            (.kvCacheMemoryBytes, "lots", "must be a size such as 512MiB or 4GiB; got 'lots'"),
            (
                .kvCacheMemoryBytes, "99999999999TiB",
                "must be a size such as 512MiB or 4GiB; got '99999999999TiB'"
            ),
            (.specMethod, "draft", "must be one of off, ngram; got 'draft'"),
            (.specTokens, "65", "must be a whole number from 1 to 64; got '65'"),
            (.specTokens, "4", "requires --spec-method ngram"),
            (.enablePrefixCaching, "yes", "must be true or false; got 'yes'"),
            (
                .maxInterTokenLatency, "200",
                "must be a time such as 200ms, 1.5s or 2m, of at most 1h, or auto or off; got '200'"
            ),
            (
                .maxQueueWait, "0s",
                "must be a time such as 200ms, 1.5s or 2m, of at most 24h, or off; got '0s'"
            ),
            (.maxNumQueuedTokens, "0", "must be a whole number from 1 to 1099511627776, or off; got '0'"),
            (.compute, "slow", "must be one of exact, fast, int8, blas; got 'slow'"),
            (.kernels, "sse", "must be one of portable, avx2, avx512; got 'sse'"),
            (.quantization, "int3", "must be one of auto, fp8, int4, int8, nvfp4; got 'int3'"),
            (
                .logLevel, "loud",
                "must be one of trace, debug, info, notice, warning, error, critical; got 'loud'"
            ),
            (.trustUserContent, "1", "must be true or false; got '1'"),
            (.model, "", "must be a folder, a GGUF file, or a name on the Hugging Face Hub"),
        ] as [(ServerConfiguration.Option, String, String)])
    func `an invalid value is refused with the name and the bound`(
        option: ServerConfiguration.Option, value: String, message: String
    ) {
        var flags: [ServerConfiguration.Option: String] = [.model: "/a"]
        flags[option] = value
        #expect {
            try ServerConfiguration(flags: flags, environment: [:])
        } throws: {
            ($0 as? ConfigurationError) == ConfigurationError(option: option, reason: message)
        }
    }

    @Test func `an error names the flag and the variable`() {
        let error = ConfigurationError(option: .maxModelLen, reason: "too long")
        #expect(error.description == "--max-model-len (TRINITY_MAX_MODEL_LEN): too long")
    }

    @Test func `unknown variables are detected`() throws {
        let configuration = try ServerConfiguration(
            flags: [:], environment: ["TRINITY_MODEL": "/a", "TRINITY_MAXMODELLEN": "1", "HOME": "/"])
        #expect(configuration.unknownVariables == ["TRINITY_MAXMODELLEN"])
    }

    @Test func `special tokens of users are parsed only with the option`() throws {
        #expect(try !ServerConfiguration(flags: [.model: "/a"], environment: [:]).trustsUserContent)
        let environment = ["TRINITY_TRUST_USER_CONTENT": "true"]
        #expect(try ServerConfiguration(flags: [.model: "/a"], environment: environment).trustsUserContent)
    }

    @Test func `the budget of a step must cover every running sequence`() {
        #expect(throws: ConfigurationError.self) {
            try ServerConfiguration(
                flags: [.model: "/a", .maxNumSeqs: "64", .maxNumBatchedTokens: "63"], environment: [:])
        }
    }

    @Test(
        arguments: [
            ("200ms", .milliseconds(200)), ("1.5s", .milliseconds(1500)), ("2m", .seconds(120)), ("1h", .seconds(3600)),
            ("off", nil),
        ] as [(String, Duration?)])
    func `times have units, and bounds can be off`(text: String, time: Duration?) throws {
        let configuration = try ServerConfiguration(
            flags: [.model: "/a", .maxInterTokenLatency: text, .maxQueueWait: text, .maxNumQueuedTokens: "off"],
            environment: [:])
        #expect(configuration.engine.prefillPolicy == time.map(PrefillPolicy.within) ?? .unbounded)
        #expect(configuration.queueBounds == QueueBounds(tokens: nil, wait: time))
    }

    @Test func `the performance mode chooses the time between tokens, and a time that is given wins`() throws {
        let policies: [(String?, String?, PrefillPolicy)] = [
            (nil, nil, .balanced), ("balanced", nil, .balanced), ("interactivity", nil, .interactive),
            ("throughput", nil, .unbounded), ("throughput", "auto", .unbounded),
            ("throughput", "50ms", .within(.milliseconds(50))), ("interactivity", "off", .unbounded),
        ]
        for (mode, time, policy) in policies {
            var flags: [ServerConfiguration.Option: String] = [.model: "/a"]
            flags[.performanceMode] = mode
            flags[.maxInterTokenLatency] = time
            let configuration = try ServerConfiguration(flags: flags, environment: [:])
            #expect(configuration.engine.prefillPolicy == policy, "\(flags)")
        }
        #expect(throws: ConfigurationError.self) {
            try ServerConfiguration(flags: [.model: "/a", .maxQueueWait: "auto"], environment: [:])
        }
    }

    @Test(
        arguments: [
            ("123", 123), ("1k", 1024), ("2KiB", 2048), ("3MB", 3 << 20), ("4GiB", 4 << 30), ("1T", 1 << 40),
        ] as [(String, Int)])
    func `sizes have binary units`(text: String, bytes: Int) throws {
        let configuration = try ServerConfiguration(flags: [.model: "/a", .kvCacheMemoryBytes: text], environment: [:])
        #expect(configuration.engine.kvCacheMemory == bytes)
    }
}
