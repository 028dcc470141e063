import Basics
import Dispatch
import Foundation
import HTTP
import Logging

/// Watches the certificate, key and API key files. Checks them every few seconds and on SIGHUP, and reloads them if they have
/// changed. If a file is invalid, the error is logged and the previous content stays in use.
final class ReloadedFiles: Sendable {
    private let configuration: ServerConfiguration
    private let keys: KeyRing
    private let loop: EventLoop
    private let logger: Logger
    private let ticks = AsyncStream<Void>.makeStream(bufferingPolicy: .bufferingNewest(1))

    init(configuration: ServerConfiguration, keys: KeyRing, loop: EventLoop, logger: Logger) {
        self.configuration = configuration
        self.keys = keys
        self.loop = loop
        self.logger = logger
    }

    deinit {
        ticks.continuation.finish()
    }

    /// Checks the files immediately; called on SIGHUP.
    func look() {
        ticks.continuation.yield()
    }

    /// Starts watching; no effect if there are no files.
    func watch() {
        guard !tlsPaths.isEmpty || !keyPaths.isEmpty else { return }
        let interval = configuration.reloadInterval
        let timer = DispatchSource.makeTimerSource()
        timer.schedule(deadline: .now() + interval, repeating: interval)
        timer.setEventHandler { [ticks] in ticks.continuation.yield() }
        timer.activate()
        var tlsStamp = Self.stamp(tlsPaths)
        var keyStamp = Self.stamp(keyPaths)
        // Weak, so that watching ends with the server.
        Task { [weak self, ticks] in
            for await _ in ticks.stream {
                guard let self else { break }
                let (newTLS, newKeys) = (Self.stamp(self.tlsPaths), Self.stamp(self.keyPaths))
                if newTLS != tlsStamp { self.reloadTLS() }
                if newKeys != keyStamp { self.reloadKeys() }
                (tlsStamp, keyStamp) = (newTLS, newKeys)
            }
            timer.cancel()
        }
    }

    private var tlsPaths: [String] {
        guard let tls = configuration.tls else { return [] }
        return [tls.certificateChain, tls.privateKey] + (tls.clientAuthorities.map { [$0] } ?? [])
    }

    private var keyPaths: [String] { configuration.apiKeyFile.map { [$0] } ?? [] }

    private func reloadTLS() {
        guard let files = configuration.tls else { return }
        for path in tlsPaths {
            do throws(RegularFile.Failure) { try RegularFile.check(path, atMost: 1 << 20) } catch {
                logger.error("TLS certificate not reloaded: \(path): \(error)")
                return
            }
        }
        do throws(TLSError) {
            let context = try TLSContext(files)
            loop.post { loop in
                loop.useTLS(context)
                RoutesService.on(loop) { $0.certificateEnd = context.validity?.upperBound }
            }
            logger.info("TLS certificate reloaded")
            CertificateValidity(file: files.certificateChain, range: context.validity).log(to: logger)
        } catch {
            logger.error("TLS certificate not reloaded: \(error)")
        }
    }

    private func reloadKeys() {
        do throws(APIKeys.Flaw) {
            let (current, flaw) = try configuration.currentKeys()
            guard let flaw else {
                keys.replace(current)
                logger.info("API keys reloaded")
                return
            }
            // An invalid line may be part of a key, so no keys are added. But keys that the owner removed must not stay valid
            // because of an error elsewhere in the file.
            let revoked = keys.revoke(missingFrom: current)
            logger.error(
                "API keys not reloaded: no key was added; keys that the readable lines do not have are revoked",
                metadata: ["reason": "\(flaw.reason)", "revoked": "\(revoked)"])
        } catch {
            logger.error("API keys not reloaded: the previous keys stay valid: \(error.reason)")
        }
    }

    /// Returns a value that changes when a file is written or replaced.
    private static func stamp(_ paths: [String]) -> [Int] {
        paths.flatMap { path -> [Int] in
            var status = stat()
            guard stat(path, &status) == 0 else { return [] }
            // Includes the time of the last status change: making a file readable does not write it.
            return [
                Int(status.st_ino), Int(status.st_size), status.st_mtim.tv_sec, status.st_mtim.tv_nsec,
                status.st_ctim.tv_sec, status.st_ctim.tv_nsec,
            ]
        }
    }
}
