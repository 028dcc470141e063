import ArgumentParser
import Foundation
import Server

/// `trinity serve`: listens at once, loads the model, answers until SIGTERM.
struct Serve: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Serve a model over HTTP.",
        discussion: """
            Every flag can also be set in the environment: --max-model-len is TRINITY_MAX_MODEL_LEN. A flag wins.
            The server answers 503 until the model is loaded; GET /ready tells. SIGTERM lets running requests finish.
            """)

    @Option(help: ArgumentHelp("Folder of a model: config.json, safetensors, tokenizer.json.", valueName: "dir"))
    var model: String?
    @Option(help: ArgumentHelp("Address to listen on (default: 127.0.0.1).", valueName: "address"))
    var host: String?
    @Option(help: ArgumentHelp("Port to listen on; 0 lets the system choose (default: 8000).", valueName: "n"))
    var port: String?
    @Option(help: ArgumentHelp("Name of the model in requests (default: the folder's name).", valueName: "name"))
    var servedModelName: String?
    @Option(help: ArgumentHelp("Threads that compute (default: the CPUs this process may use).", valueName: "n"))
    var threads: String?
    @Option(
        help: ArgumentHelp(
            "Longest sequence, prompt and completion together (default: the model's, as far as memory allows).",
            valueName: "tokens"))
    var maxModelLen: String?
    @Option(help: ArgumentHelp("Sequences that run at the same time (default: 64).", valueName: "n"))
    var maxSequences: String?
    @Option(help: ArgumentHelp("Tokens that one step computes (default: 512).", valueName: "n"))
    var maxBatchedTokens: String?
    @Option(
        help: ArgumentHelp(
            "Sequences that may wait beyond those that run; more get 503 (default: 256).", valueName: "n"))
    var maxQueuedRequests: String?
    @Option(
        help: ArgumentHelp(
            "Memory of the KV cache, such as 4GiB (default: what --max-sequences can use, up to 80 % of free memory).",
            valueName: "size"))
    var kvCacheMemory: String?
    @Option(help: ArgumentHelp("Type of keys and values in the cache: f32 or bf16 (default: f32).", valueName: "type"))
    var kvCacheDtype: String?
    @Option(
        help: ArgumentHelp(
            "Activations in products: fast rounds them to bfloat16 where the CPU has it, exact does not (default: fast).",
            valueName: "mode"))
    var compute: String?
    @Option(
        help: ArgumentHelp(
            "Instruction set to compute with: portable, avx2 or avx512 (default: the best of this CPU).",
            valueName: "set"))
    var kernels: String?
    @Option(
        help: ArgumentHelp(
            "Weights in memory: auto keeps them as stored, fp8 quantises linear layers at load (default: auto).",
            valueName: "format"))
    var weights: String?
    @Option(
        help: ArgumentHelp(
            "How long running requests may take to finish after SIGTERM (default: 30).", valueName: "seconds"))
    var drainTimeout: String?
    @Option(
        help: ArgumentHelp(
            "Log: trace, debug, info, notice, warning, error or critical (default: info).", valueName: "level"))
    var logLevel: String?
    @Option(help: ArgumentHelp("Log lines: text, or json for one object a line (default: text).", valueName: "format"))
    var logFormat: String?

    func run() async throws {
        let given: [(ServerConfiguration.Option, String?)] = [
            (.model, model), (.host, host), (.port, port), (.servedModelName, servedModelName), (.threads, threads),
            (.maxModelLen, maxModelLen), (.maxSequences, maxSequences), (.maxBatchedTokens, maxBatchedTokens),
            (.maxQueuedRequests, maxQueuedRequests), (.kvCacheMemory, kvCacheMemory), (.kvCacheDtype, kvCacheDtype),
            (.compute, compute), (.kernels, kernels), (.weights, weights), (.drainTimeout, drainTimeout),
            (.logLevel, logLevel),
            (.logFormat, logFormat),
        ]
        var flags: [ServerConfiguration.Option: String] = [:]
        for (option, value) in given { flags[option] = value }
        let configuration: ServerConfiguration
        do {
            configuration = try ServerConfiguration(
                flags: flags, environment: ProcessInfo.processInfo.environment)
        } catch {
            throw ValidationError(String(describing: error))
        }
        do {
            try await Application.run(configuration)
        } catch {
            FileHandle.standardError.write(Data("trinity: \(error)\n".utf8))
            throw ExitCode(1)
        }
    }
}
