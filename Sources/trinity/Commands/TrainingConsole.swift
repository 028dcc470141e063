import Foundation
import Training

/// The output of `trinity train`: a line of JSON or text for each step, or on a terminal one line that is updated.
final class TrainingConsole {
    private let run: TrainingRun
    private let isJSON: Bool
    private let isTerminal: Bool
    private let output = LineOutput(.standardOutput)
    private let errors = LineOutput(.standardError)
    private let start = ContinuousClock.now
    private let firstTokens: Int
    private let firstStep: Int
    private var deadExperts = 0
    private var hasLine = false

    init(_ run: TrainingRun, json: Bool) {
        (self.run, isJSON) = (run, json)
        isTerminal = !json && isatty(1) == 1
        (firstTokens, firstStep) = (run.statistics.tokens, run.trainer.step)
        for warning in run.warnings { errors.write("warning: \(warning)") }
        if firstStep == run.steps {
            errors.write("the run is complete: all \(run.steps) steps are done")
        } else if firstStep > 0 {
            errors.write("the run continues after step \(firstStep) of \(run.steps)")
        }
    }

    func show(_ report: StepReport) {
        if isJSON {
            output.write(String(decoding: report.json.serialized, as: UTF8.self))
        } else if isTerminal {
            // The escape sequence erases the rest of a longer previous line.
            output.write("\r\(line(report))\(speed)\u{1B}[K", end: "")
            hasLine = true
        } else {
            output.write(line(report))
        }
        let dead = run.statistics.deadExperts
        if dead > deadExperts {
            errors.write("warning: \(dead) experts had no token in 100 steps")
        }
        deadExperts = dead
    }

    func show(_ report: HeldOutReport) {
        if isJSON {
            output.write(String(decoding: report.json.serialized, as: UTF8.self))
            return
        }
        endLine()
        output.write("after step \(report.step): held-out loss \(Self.format(report.loss))")
    }

    func finish(isComplete: Bool) {
        endLine()
        if !isComplete { errors.write("stopped after step \(run.trainer.step) of \(run.steps)") }
    }

    private func endLine() {
        if hasLine { output.write("") }
        hasLine = false
    }

    private func line(_ report: StepReport) -> String {
        let name = run.stage(of: report.step).name.map { "\($0), " } ?? ""
        let skipped = report.isSkipped ? ", skipped" : ""
        let (rate, share) = (run.timing.operationRate / 1e9, run.timing.shareOfPeak * 100)
        return "\(name)step \(report.step + 1)/\(run.steps): loss \(Self.format(report.crossEntropy)), "
            + "gradient norm \(Self.format(report.gradientNorm))\(skipped), "
            + "\(Int(rate)) GFLOP/s (\(Int(share)) % of peak)"
    }

    /// The tokens per second, and the remaining time if the steps keep their speed.
    private var speed: String {
        let seconds = (ContinuousClock.now - start) / .seconds(1)
        guard seconds > 1, run.trainer.step > firstStep else { return "" }
        let rate = Double(run.statistics.tokens - firstTokens) / seconds
        let left = Int(seconds * Double(run.steps - run.trainer.step) / Double(run.trainer.step - firstStep))
        return ", \(Int(rate)) tok/s, \(left / 60) min \(left % 60) s left"
    }

    private static func format(_ number: Double) -> String { String(format: "%.4f", number) }
}

/// Writes lines to a file. After a write error, for example because the reader has closed the pipe, lines are dropped and the
/// work continues.
private final class LineOutput {
    private let file: FileHandle
    private var isOpen = true

    init(_ file: FileHandle) {
        self.file = file
    }

    func write(_ line: String, end: String = "\n") {
        guard isOpen else { return }
        do { try file.write(contentsOf: Data((line + end).utf8)) } catch { isOpen = false }
    }
}
