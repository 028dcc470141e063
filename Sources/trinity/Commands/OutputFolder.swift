import ArgumentParser
import Basics
import Foundation

/// The folder that a command writes, with its progress on standard error.
struct OutputFolder {
    let path: String

    /// Calls `write`, which calls its argument with the completed fraction. SIGINT and SIGTERM end it: the error removes the
    /// incomplete output.
    ///
    /// - Throws: the error of `write`; `ExitCode` 130 after a signal.
    func fill<Result>(_ write: ((Double) throws -> Void) throws -> Result) throws -> Result {
        StopSignal.install()
        let meter = ProgressMeter("writing \(path)")
        do {
            let result = try write { fraction in
                if StopSignal.isReceived { throw ExitCode(130) }
                meter.update(fraction)
            }
            meter.finish()
            return result
        } catch {
            meter.finish()
            if error is ExitCode { Self.say("interrupted: the incomplete output was removed") }
            throw error
        }
    }

    static func say(_ line: String) { FileHandle.standardError.write(Data("\(line)\n".utf8)) }
}
