import Foundation
import TestSupport
import Testing

@testable import Training

/// The recipes in `deploy/recipes`.
@Suite struct PresetTests {
    private static let folder = Fixtures.repository.appending(path: "deploy/recipes")

    @Test(arguments: ["nano", "mini", "large"])
    func `a preset is a valid recipe with three stages`(name: String) throws {
        let recipe = try Recipe(Self.folder.appending(path: "\(name).json"))
        #expect(recipe.stages.map(\.name) == ["pretraining", "context extension", "sft"])
        for stage in recipe.stages {
            let numbers = stage.hyperparameters
            let steps = try #require(numbers.steps)
            // From a first step that is small to a last one that is at the floor.
            let isCosine = numbers.peak == 0.1 && name == "large" && stage.name == "context extension"
            #expect(numbers.learningRateFactor(step: 0) < 0.01 || isCosine)
            let last = numbers.learningRateFactor(step: steps - 1)
            #expect(last < (name == "large" && stage.name != "sft" ? 0.101 : 0.001), "\(stage.name ?? ""): \(last)")
        }
    }

    @Test func `the first run has its data, and its held-out chats are not trained on`() throws {
        let url = Self.folder.appending(path: "first-run/recipe.json")
        let plan = try TrainingPlan(Recipe(url))
        #expect(plan.steps == 120 && plan.heldOut != nil)
        func lines(_ name: String) throws -> Set<Substring> {
            let text = try String(contentsOf: url.deletingLastPathComponent().appending(path: name), encoding: .utf8)
            return Set(text.split(separator: "\n"))
        }
        let (trained, heldOut) = (try lines("chats.jsonl"), try lines("held-out.jsonl"))
        #expect(trained.count > 200 && heldOut.count > 20 && trained.isDisjoint(with: heldOut))
    }
}
