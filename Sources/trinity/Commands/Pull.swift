import ArgumentParser
import Basics
import Foundation
import Hub

/// `trinity pull`: downloads a model from the Hugging Face Hub.
struct Pull: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Download a model from the Hugging Face Hub into the cache.",
        discussion: """
            The model is owner/name, or owner/name@revision for a branch, tag or commit, or owner/name:Q4_K_M for the GGUF file \
            with Q4_K_M in its name, or owner/name@revision:Q4_K_M. The command prints the folder or file to load. The cache is \
            shared with Python's huggingface_hub; HF_HOME, HF_HUB_CACHE, HF_TOKEN, HF_ENDPOINT and HF_HUB_OFFLINE are respected.
            """)

    @Argument(
        help: ArgumentHelp("Name on the Hub, such as owner/name.", valueName: "model"), transform: HubReference.argument
    )
    var model: HubReference

    func run() throws {
        print(try Hub.fromEnvironment().pull(model))
    }
}

extension HubReference {
    /// Parses a model name in an argument.
    static func argument(_ text: String) throws -> HubReference {
        guard let reference = HubReference(text) else {
            throw ValidationError("must be owner/name, owner/name@revision or owner/name:Q4_K_M")
        }
        return reference
    }
}

extension Hub {
    /// Returns the path of a model: the argument itself if such a file or folder exists or if it is not a name on the Hub,
    /// otherwise the path in the cache. Only then are the settings read.
    static func path(of model: String) throws -> String {
        guard !RegularFile.exists(model), let reference = HubReference(model) else { return model }
        return try fromEnvironment().locate(reference)
    }

    /// Returns the Hub with the settings of the environment; its messages go to standard error.
    static func fromEnvironment() -> Hub {
        Hub(HubSettings(environment: ProcessInfo.processInfo.environment)) { line in
            FileHandle.standardError.write(Data("\(line)\n".utf8))
        }
    }
}
