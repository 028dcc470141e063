import ArgumentParser
import Engine
import Foundation
import Training

extension Precision: ExpressibleByArgument {}

/// `trinity train`: trains a model according to a recipe.
struct Train: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Train a model according to a recipe.",
        discussion: """
            The recipe specifies a checkpoint with the initial weights, a file of documents or packed batches, and the \
            parameters of the run. An interrupted run continues from its last checkpoint in the output folder, and gives the \
            same bits as an uninterrupted run. SIGTERM writes a checkpoint and ends the run.
            """)

    @Argument(help: ArgumentHelp("Recipe, a JSON file.", valueName: "recipe"))
    var recipe: String
    @Option(
        help: ArgumentHelp(
            "Output folder; it must be new, be empty, or have an interrupted run of the recipe.", valueName: "dir"))
    var out: String?
    @Option(help: "Precision of matrix products: bf16 with float32 sums, or exact (float32).")
    var precision = Precision.bf16
    @Option(
        help: ArgumentHelp(
            "Number of threads, reduced to the number of available CPUs. It does not affect the result.",
            valueName: "number"))
    var threads: Int?
    @Flag(help: "Print one JSON object for each step.")
    var json = false
    @Flag(
        help:
            "At the end, write the curves of the run to curves.svg in the output folder; also works for a finished run."
    )
    var plot = false
    @Option(
        help: ArgumentHelp(
            "Rate of the steps in GFLOP/s, for --dry-run (default: estimated by a short measurement).",
            valueName: "rate"))
    var flops: Double?
    @Flag(help: "Check the recipe and its files, and print the tokens, operations, memory and time of each stage.")
    var dryRun = false

    func validate() throws {
        if out == nil, !dryRun { throw ValidationError("--out is missing") }
        if let out { try OutputPath.check(out, "--out") }
        if let threads, !(1...1024).contains(threads) { throw ValidationError("--threads must be from 1 to 1024") }
        if let flops, !TrainingEstimate.rates.contains(flops) {
            throw ValidationError("--flops must be a number from 0.001 to 1e12")
        }
    }

    private var threadCount: Int { min(threads ?? ThreadPlan.defaultThreads, ThreadPlan.available()) }

    func run() throws {
        if let warning = ThreadPlan.warning(asked: threads) {
            FileHandle.standardError.write(Data("warning: \(warning)\n".utf8))
        }
        let recipe = try Recipe(URL(fileURLWithPath: recipe))
        guard let out, !dryRun else {
            let plan = try TrainingPlan(recipe)
            try plan.checkInitial()
            let rate =
                try flops.map { $0 * 1e9 } ?? TrainingCost.measuredRate(threads: threadCount, precision: precision)
            var warnings = plan.warnings
            // The run may take place on another machine.
            do throws(TrainingError) { try plan.checkMemory(precision) } catch { warnings.append("\(error)") }
            for warning in warnings { FileHandle.standardError.write(Data("warning: \(warning)\n".utf8)) }
            for line in TrainingEstimate(plan, precision: precision, rate: rate).lines { print(line) }
            return
        }
        StopSignal.install()
        let run = try TrainingRun(
            recipe, out: URL(fileURLWithPath: out), threads: threadCount, precision: precision)
        let console = TrainingConsole(run, json: json)
        let isComplete = try run.run(
            mustStop: { StopSignal.isReceived }, heldOut: console.show(_:), report: console.show(_:))
        console.finish(isComplete: isComplete)
        // A run that was stopped before its first step has no curves.
        if plot, run.trainer.step > 0 { try CurvePlot(URL(fileURLWithPath: out)).write(to: URL(fileURLWithPath: out)) }
    }
}
