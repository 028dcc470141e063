import Foundation
import JSON
import TestSupport

@testable import Training

/// An initial model with texts and chats, and a recipe of two stages that reads them.
struct StagedModel {
    let temporary: TemporaryModel

    init() throws {
        temporary = try TemporaryModel()
        try temporary.makeInitialModel()
        var (texts, chats) = ("", "")
        for index in 0..<60 {
            texts += "{\"text\": \"The number \(index) comes before \(index + 1), and the sun is warm.\"}\n"
            chats += """
                {"messages": [{"role": "user", "content": "What follows \(index)?"}, {"role": "assistant", "content": \
                "\(index + 1)"}]}

                """
        }
        try temporary.write(Array(texts.utf8), to: "texts.jsonl")
        try temporary.write(Array(chats.utf8), to: "chats.jsonl")
    }

    static let recipe: JSONValue = [
        "initial": "initial", "seed": 3, "checkpoint_interval": 4,
        "hyperparameters": ["muon_lr": 0.01, "schedule": ["kind": "wsd", "warmup": 2, "decay": 2]],
        "stages": [
            [
                "name": "pretraining",
                "documents": [
                    "sources": [
                        ["jsonl": "texts.jsonl", "weight": 3], ["jsonl": "chats.jsonl", "targets": "all"],
                    ], "length": 64, "rows": 2, "micro_batches": 2, "buffer": 4,
                ], "hyperparameters": ["tokens": 1400],
            ],
            [
                "documents": [
                    "sources": [["jsonl": "chats.jsonl"]], "packing": "greedy", "length": 96, "rows": 1,
                    "micro_batches": 2, "buffer": 8, "seed": 9,
                ],
                "hyperparameters": [
                    "steps": 5, "muon_lr": 0.002, "schedule": ["kind": "wsd", "warmup": 1, "decay": 4, "peak": 0.1],
                ],
            ],
        ],
    ]

    func recipe(_ json: JSONValue = recipe) throws -> Recipe {
        try Recipe(parsing: json, folder: out("recipe.json").deletingLastPathComponent())
    }

    func out(_ name: String) -> URL { temporary.directory.appending(path: name) }
}
