import Testing

@testable import Server

@Suite struct ServerConfigurationTests {
    @Test func `defaults are there without flags`() throws {
        let configuration = try ServerConfiguration(flags: [.model: "/models/trinity-mini/"], environment: [:])
        #expect(configuration.host == "127.0.0.1")
        #expect(configuration.port == 8000)
        #expect(configuration.servedModelName == "trinity-mini")
        #expect(configuration.engine.compute == .fast && configuration.engine.kernels == nil)
        #expect(configuration.engine.kvCacheType == .f32)
    }

    @Test func `the environment is read and a flag wins over it`() throws {
        let environment = [
            "TRINITY_MODEL": "/a", "TRINITY_PORT": "9000", "TRINITY_MAX_MODEL_LEN": "4096",
            "TRINITY_KV_CACHE_DTYPE": "bf16",
        ]
        let configuration = try ServerConfiguration(flags: [.port: "9001"], environment: environment)
        #expect(configuration.port == 9001)
        #expect(configuration.engine.maxModelLength == 4096)
        #expect(configuration.engine.kvCacheType == .bf16)
        #expect(configuration.engine.modelDirectory.path == "/a")
    }

    @Test(
        arguments: [
            (.port, "65536", "--port: must be a whole number from 0 to 65535; got '65536'"),
            (.port, "http", "--port: must be a whole number from 0 to 65535; got 'http'"),
            (.threads, "0", "--threads: must be a whole number from 1 to 1024; got '0'"),
            (.kvCacheDtype, "f64", "--kv-cache-dtype: must be one of f32, bf16; got 'f64'"),
            (.kvCacheMemory, "lots", "--kv-cache-memory: must be a size such as 512MiB or 4GiB; got 'lots'"),
            (
                .kvCacheMemory, "99999999999TiB",
                "--kv-cache-memory: must be a size such as 512MiB or 4GiB; got '99999999999TiB'"
            ),
            (.compute, "slow", "--compute: must be one of exact, fast; got 'slow'"),
            (.kernels, "sse", "--kernels: must be one of portable, avx2, avx512; got 'sse'"),
            (.weights, "int4", "--weights: must be one of auto, fp8; got 'int4'"),
            (
                .logLevel, "loud",
                "--log-level: must be one of trace, debug, info, notice, warning, error, critical; got 'loud'"
            ),
            (.model, "", "--model: name the folder of a model"),
        ] as [(ServerConfiguration.Option, String, String)])
    func `a bad value is refused by name and bound`(
        option: ServerConfiguration.Option, value: String, message: String
    ) {
        var flags: [ServerConfiguration.Option: String] = [.model: "/a"]
        flags[option] = value
        #expect {
            try ServerConfiguration(flags: flags, environment: [:])
        } throws: {
            String(describing: $0) == message
        }
    }

    @Test func `the budget of a step covers every running sequence`() {
        #expect(throws: ConfigurationError.self) {
            try ServerConfiguration(
                flags: [.model: "/a", .maxSequences: "64", .maxBatchedTokens: "63"], environment: [:])
        }
    }

    @Test(
        arguments: [
            ("123", 123), ("1k", 1024), ("2KiB", 2048), ("3MB", 3 << 20), ("4GiB", 4 << 30), ("1T", 1 << 40),
        ] as [(String, Int)])
    func `sizes have binary units`(text: String, bytes: Int) throws {
        let configuration = try ServerConfiguration(flags: [.model: "/a", .kvCacheMemory: text], environment: [:])
        #expect(configuration.engine.kvCacheMemory == bytes)
    }
}
