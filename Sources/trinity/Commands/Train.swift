import ArgumentParser
import Engine
import Foundation
import Training

/// `trinity train`: trains a model by a recipe.
struct Train: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Train a model.",
        discussion: """
            The recipe names a checkpoint with the initial weights, a file of documents or packed batches, and the numbers \
            of the run. A run that was interrupted continues from its last checkpoint in the output folder, and gives the \
            same bits as without the interruption. SIGTERM writes a checkpoint and ends the run.
            """)

    enum Precision: String, ExpressibleByArgument, CaseIterable {
        case exact
    }

    @Argument(help: ArgumentHelp("The recipe, a JSON file.", valueName: "recipe"))
    var recipe: String
    @Option(
        help: ArgumentHelp("Output folder: new, empty, or with an interrupted run of the recipe.", valueName: "dir"))
    var out: String?
    @Option(help: "Precision of the products of matrices. exact is float32.")
    var precision = Precision.exact
    @Option(help: ArgumentHelp("Threads. The result does not depend on their number.", valueName: "number"))
    var threads: Int?
    @Flag(help: "Print one JSON object for each step.")
    var json = false
    @Flag(help: "Check the recipe and the headers of its files, and print the sizes of the run.")
    var dryRun = false

    func validate() throws {
        if out == nil, !dryRun { throw ValidationError("--out is missing") }
        if let threads, !(1...1024).contains(threads) { throw ValidationError("--threads must be from 1 to 1024") }
    }

    func run() throws {
        let recipe = try Recipe(URL(fileURLWithPath: recipe))
        guard let out, !dryRun else {
            let plan = try TrainingPlan(recipe)
            print("\(plan.steps) steps, \(plan.parameters) parameters")
            print("\(plan.stateBytes >> 20) MiB for weights, gradients and optimizers, without activations")
            return
        }
        let run = try TrainingRun(
            recipe, out: URL(fileURLWithPath: out), threads: try threads ?? ThreadPlan.ofMachine().threads)
        StopSignal.install()
        func write(_ report: StepReport) {
            let line = json ? String(decoding: report.json.serialized, as: UTF8.self) : Self.line(report, of: run.steps)
            FileHandle.standardOutput.write(Data("\(line)\n".utf8))
        }
        let isComplete = try run.run(mustStop: { StopSignal.isReceived }, report: write)
        if !isComplete {
            FileHandle.standardError.write(Data("stopped after step \(run.trainer.step) of \(run.steps)\n".utf8))
        }
    }

    private static func line(_ report: StepReport, of steps: Int) -> String {
        let numbers = [report.crossEntropy, report.gradientNorm].map { String(format: "%.4f", $0) }
        let skipped = report.isSkipped ? ", skipped" : ""
        return "step \(report.step + 1)/\(steps): loss \(numbers[0]), gradient norm \(numbers[1])\(skipped)"
    }
}
