import Dispatch
import Engine
import Foundation
import HTTP
import Hub
import Logging

/// The composition root: creates the event loop, the routes and the engine, connects them, and ends them in order.
public final class Application: Sendable {
    /// The version of this server, or the next version while the changelog says "Unreleased".
    public static let version = "0.1.0"

    /// An event in the life of a running server.
    enum LifecycleEvent: Sendable {
        case ready
        case failed(String)
        /// The other ranks of the model cannot continue.
        case rankFailed(RankFailure)
        /// SIGTERM or SIGINT; with several ranks SIGUSR1.
        case signal
        /// Every request has been answered after `drain`.
        case drained
        case engineStopped
    }

    private typealias Lifecycle = AsyncStream<LifecycleEvent>

    /// The address on which the server listens, with the actual port if 0 was requested.
    public let address: ListeningAddress

    private let configuration: ServerConfiguration
    private let loop: EventLoop
    private let reloading: ReloadedFiles
    private let events: Lifecycle
    private let announce: Lifecycle.Continuation
    private let logger: Logger

    /// Runs a server until it has handled SIGTERM or SIGINT, or with several ranks SIGUSR1.
    ///
    /// - Throws: the reason why it cannot listen, or an `ApplicationError` if the model cannot be loaded.
    public static func run(_ configuration: ServerConfiguration) async throws {
        MemoryAllocator.configure()
        let environment = ProcessInfo.processInfo.environment
        let launch = RankLaunch(environment: environment)
        try LogWriter.bootstrap(configuration.logFormat, rank: launch?.rank)
        // Flush the last lines, but do not wait long if nobody reads them.
        defer { LogWriter.standardError.flush(within: .milliseconds(500)) }
        var logger = Logger(label: "trinity")
        logger.logLevel = configuration.logLevel
        Termination.ignoreStraySignals()
        if let launcher = RankLaunch.foreignLauncher(environment: environment) {
            throw ApplicationError(reason: RankServer.foreignLauncher(launcher))
        }
        var configuration = configuration
        if let launch {
            guard RankLaunch.isSupported else { throw ApplicationError(reason: RankServer.noMPI) }
            let timeout = configuration.engine.rankTimeout
            configuration.engine.joinRanks = { () throws(RankFailure) in try launch.join(timeout: timeout) }
            if launch.rank > 0 { return try await RankServer.run(configuration, logger: logger) }
        }
        // Signals are handled before the address is logged, because other programs may send them from then on.
        let lifecycle = Lifecycle.makeStream()
        let termination = Termination(drainTimeout: configuration.drainTimeout, logger: logger)
        let isStopped = StopFlag()
        // mpirun kills the ranks a second after its own SIGTERM, so SIGUSR1 drains them, and SIGTERM is like a second signal.
        var signals = termination.watch(launch == nil ? [SIGTERM, SIGINT] : [SIGUSR1]) {
            isStopped.set()
            lifecycle.continuation.yield(.signal)
        }
        if launch != nil {
            signals += termination.watch([SIGTERM, SIGINT]) {
                isStopped.set()
                termination.signalled()
                for _ in 0..<2 { lifecycle.continuation.yield(.signal) }
            }
        }
        defer { for signal in signals { signal.cancel() } }
        for variable in configuration.unknownVariables {
            logger.warning("ignoring unknown environment variable \(variable)")
        }
        // Downloads before listening: an unreachable server is easier to understand than one that is not ready for an hour.
        guard let configuration = try await locateModel(configuration, logger: logger, isStopped) else { return }
        let application = try await Application(configuration, logger: logger, lifecycle: lifecycle)
        // The socket file is also removed if the server ends before it has drained.
        let socketFile = await application.loop.socketFile
        defer { socketFile?.remove() }
        let hangups = DispatchSource.makeSignalSource(signal: SIGHUP)
        hangups.setEventHandler { [reloading = application.reloading] in reloading.look() }
        hangups.activate()
        defer { hangups.cancel() }
        guard try await application.waitUntilReady() else { return }
        termination.startedServing()
        try await application.waitForSignal()
        try await application.drain()
    }

    /// Returns the configuration with the folder of its model, which is downloaded if necessary; `nil` after a signal.
    @concurrent private static func locateModel(
        _ configuration: ServerConfiguration, logger: Logger, _ isStopped: StopFlag
    ) async throws -> ServerConfiguration? {
        var configuration = configuration
        do throws(HubError) {
            try configuration.locateModel(report: { logger.info("\($0)") }, isCancelled: { isStopped.isSet })
        } catch .cancelled {
            logger.info("stopped while downloading; the next start resumes the download")
            return nil
        }
        return configuration
    }

    /// Writes `text` to standard error after all log lines; gives up after half a second if standard error is not read.
    public static func writeError(_ text: String) {
        LogWriter.standardError.add(text.utf8)
        LogWriter.standardError.flush(within: .milliseconds(500))
    }

    /// Listens at once and starts loading the model; see ``waitUntilReady()``.
    ///
    /// - Throws: the reason why it cannot listen.
    public convenience init(_ configuration: ServerConfiguration, logger: Logger) async throws {
        try await self.init(configuration, logger: logger, lifecycle: Lifecycle.makeStream())
    }

    private init(
        _ configuration: ServerConfiguration, logger: Logger,
        lifecycle: (stream: Lifecycle, continuation: Lifecycle.Continuation)
    ) async throws {
        var configuration = configuration
        configuration.listensOnLoopbackOnly = try ListeningAddress.resolve(configuration.host).allSatisfy(\.isLoopback)
        self.configuration = configuration
        self.logger = logger
        (events, announce) = lifecycle
        let keys = KeyRing(configuration.apiKeys)
        var http = configuration.http
        http.bodyAccount = configuration.bodyAccount(keys)
        loop = try EventLoop(configuration: http)
        // Otherwise a token may wait for milliseconds until a compute thread leaves its CPU to the loop.
        loop.post { _ in SystemThread.shortenTimeSlice() }
        reloading = ReloadedFiles(configuration: configuration, keys: keys, loop: loop, logger: logger)
        let tls = try configuration.tls.map { try TLSContext($0) }
        let routes = Routes(configuration: configuration, keys: keys, logger: logger)
        routes.certificateEnd = tls?.validity?.upperBound
        let executor = PreparationExecutor()
        try executor.start()
        await loop.serve(
            RoutesService(routes: routes, executor: executor) { [announce] in announce.yield(.drained) })
        if let tls, let files = configuration.tls {
            CertificateValidity(file: files.certificateChain, range: tls.validity).log(to: logger)
            await loop.useTLS(tls)
        }
        address = try await loop.listen(host: configuration.host, port: configuration.port)
        reloading.watch()
        for address in await loop.addresses {
            let scheme = configuration.tls == nil ? "http" : "https"
            let isFile = SocketFile.path(of: address.host) != nil
            logger.info("listening on \(isFile ? "\(address) (\(scheme))" : "\(scheme)://\(address)")")
        }
        loadModel()
        Task { await OpenAPIDocument.prepare() }
    }

    /// Waits until requests can be served. Returns false if a signal came first: there is nothing to drain while the model is
    /// being loaded.
    ///
    /// - Throws: `ApplicationError` if the model cannot be loaded.
    @discardableResult public func waitUntilReady() async throws -> Bool {
        for await event in events {
            switch event {
            case .ready:
                logger.info("ready: \(configuration.servedModelName)")
                return true
            case .failed(let reason): throw ApplicationError(reason: reason)
            case .rankFailed(let failure): throw ApplicationError(failure)
            case .signal:
                logger.info("stopped while loading")
                return false
            case .drained, .engineStopped: continue
            }
        }
        return false
    }

    /// Lets running requests finish, within the drain timeout, while new ones get 503; then stops the engine and closes
    /// the listener.
    ///
    /// - Throws: `ApplicationError` if the other ranks of the model fail.
    public func drain() async throws {
        logger.info("draining")
        let timeout = configuration.drainTimeout
        loop.post { loop in
            RoutesService.on(loop) { $0.drain(timeout: timeout) }
        }
        var isDrained = false
        for await event in events {
            switch event {
            case .drained:
                isDrained = true
                loop.post { loop in
                    loop.closeListeners()
                    RoutesService.on(loop) { $0.stopEngine() }
                }
            case .engineStopped:
                logger.info("stopped")
                return
            case .signal:
                // After a second signal, do not wait any longer.
                loop.post { loop in
                    RoutesService.on(loop) { $0.drain(timeout: .zero) }
                }
            case .rankFailed(let failure):
                if !isDrained { await endReplies() }
                throw ApplicationError(failure)
            case .ready, .failed: continue
            }
        }
    }

    /// - Throws: `ApplicationError` if the other ranks of the model fail. All streams have then ended with an error.
    private func waitForSignal() async throws {
        for await event in events {
            if case .signal = event { return }
            if case .rankFailed(let failure) = event {
                await endReplies()
                throw ApplicationError(failure)
            }
        }
    }

    /// Refuses new requests, and waits a moment until the replies that have ended with an error are written.
    private func endReplies() async {
        loop.post { loop in
            RoutesService.on(loop) { $0.drain(timeout: .milliseconds(500)) }
        }
        for await event in events {
            if case .drained = event { return }
        }
    }

    private func loadModel() {
        Task { await load() }
    }

    @concurrent private func load() async {
        // Checked before the tokenizer, whose error would be less clear if the path is not a checkpoint.
        do throws(EngineError) { try ModelFolder.check(configuration.engine.modelDirectory) } catch {
            announce.yield(.failed(error.description))
            return
        }
        do throws(TextPipelineError) {
            startEngine(try Serving.text(of: configuration, logger: logger))
        } catch {
            announce.yield(.failed(error.description))
        }
    }

    private func startEngine(_ text: TextPipeline?) {
        let (loop, announce, logger, configuration) = (loop, announce, logger, configuration)
        var options = configuration.engine
        options.measuresBandwidth = true
        if let warning = options.limitThreads() { logger.warning("\(warning)") }
        let engine = LLMEngine(options: options, tokenizer: text?.tokenizer, logger: logger) {
            loop.post { loop in
                RoutesService.on(loop) { $0.engineReported() }
            }
        } onStateChange: { state in
            switch state {
            case .loading: break
            case .ready(let model):
                // Packing a model with thousands of quantized matrices leaves free memory between used blocks, 180 MB for
                // Nano's shape in Q4_K_M.
                MemoryAllocator.trim()
                logger.info("\(configuration.requestMemory(beside: model.memory))")
                loop.post { loop in
                    RoutesService.on(loop) { $0.modelLoaded(model, text: text) }
                    announce.yield(.ready)
                }
            case .failed(let reason): announce.yield(.failed(reason))
            case .rankFailed(let failure): announce.yield(.rankFailed(failure))
            case .stopped: announce.yield(.engineStopped)
            }
        }
        let watchdog = configuration.watchdogTimeout.map { timeout in
            Watchdog(timeout: timeout, logger: logger) { engine.currentStep }
        }
        loop.post { loop in
            RoutesService.on(loop) { routes in
                routes.engine = engine
                routes.watchdog = watchdog
            }
        }
        do throws(SystemThread.Failure) {
            try watchdog?.start()
        } catch {
            announce.yield(.failed(error.description))
            return
        }
        engine.start()
    }
}
