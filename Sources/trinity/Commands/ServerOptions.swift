import ArgumentParser
import Foundation
import Server

/// The options of `trinity serve` and `trinity config`.
struct ServerOptions: ParsableArguments {
    @OptionGroup(title: OptionEntry.Section.model.rawValue) var model: OptionArguments<Model>
    @OptionGroup(title: OptionEntry.Section.computation.rawValue) var computation: OptionArguments<Computation>
    @OptionGroup(title: OptionEntry.Section.scheduling.rawValue) var scheduling: OptionArguments<Scheduling>
    @OptionGroup(title: OptionEntry.Section.network.rawValue) var network: OptionArguments<Network>
    @OptionGroup(title: OptionEntry.Section.security.rawValue) var security: OptionArguments<Security>
    @OptionGroup(title: OptionEntry.Section.observability.rawValue) var observability: OptionArguments<Observability>

    /// The options given on the command line.
    var given: [GivenOption] {
        model.given + computation.given + scheduling.given + network.given + security.given + observability.given
    }

    /// Returns the configuration from all sources.
    ///
    /// - Throws: the error for the user, if an option is invalid.
    func configuration() throws -> ServerConfiguration {
        try ServerConfiguration(checking: given, environment: ProcessInfo.processInfo.environment)
    }

    /// The options in one section of the table.
    protocol SectionList: OptionList {
        static var section: OptionEntry.Section { get }
    }

    enum Model: SectionList { static let section = OptionEntry.Section.model }
    enum Computation: SectionList { static let section = OptionEntry.Section.computation }
    enum Scheduling: SectionList { static let section = OptionEntry.Section.scheduling }
    enum Network: SectionList { static let section = OptionEntry.Section.network }
    enum Security: SectionList { static let section = OptionEntry.Section.security }
    enum Observability: SectionList { static let section = OptionEntry.Section.observability }
}

extension ServerOptions.SectionList {
    static var options: [ServerConfiguration.Option] {
        ServerConfiguration.Option.allCases.filter { $0.entry.section == section }
    }
}

extension ServerConfiguration {
    /// Creates the configuration, or throws an error that exits the process with a message and code 64.
    init(checking flags: [GivenOption], environment: [String: String]) throws {
        do throws(ConfigurationError) {
            try self.init(flags: flags, environment: environment)
        } catch {
            throw ValidationError(error.description)
        }
    }
}
