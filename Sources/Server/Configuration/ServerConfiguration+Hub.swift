import Foundation
import Hub

extension ServerConfiguration {
    /// Replaces a model on the Hugging Face Hub by its folder in the cache. Downloads the model first if the folder is not
    /// complete, and blocks meanwhile.
    ///
    /// - Parameters:
    ///   - report: called with lines about the download.
    ///   - isCancelled: called often, by several threads. Once it returns true, the download ends.
    /// - Throws: why the model cannot be downloaded.
    public mutating func locateModel(
        report: @escaping @Sendable (String) -> Void, isCancelled: @escaping @Sendable () -> Bool = { false }
    ) throws(HubError) {
        guard let hubModel else { return }
        let settings = HubSettings(environment: ProcessInfo.processInfo.environment)
        let path = try Hub(settings, report: report, isCancelled: isCancelled).locate(hubModel)
        engine.modelDirectory = URL(fileURLWithPath: path)
        self.hubModel = nil
    }
}
