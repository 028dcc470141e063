import Foundation
import Hub

extension ServerConfiguration {
    /// Makes the model of the Hugging Face Hub a folder: that in the cache, downloaded if it is not complete. Waits.
    ///
    /// - Parameters:
    ///   - report: gets lines about the download.
    ///   - isCancelled: called often, by several threads; once it returns true, the download ends.
    /// - Throws: why the model cannot be downloaded.
    public mutating func locateModel(
        report: @escaping @Sendable (String) -> Void, isCancelled: @escaping @Sendable () -> Bool = { false }
    ) throws(HubError) {
        guard let hubModel else { return }
        let settings = try HubSettings(environment: ProcessInfo.processInfo.environment)
        let path = try Hub(settings, report: report, isCancelled: isCancelled).locate(hubModel)
        engine.modelDirectory = URL(fileURLWithPath: path)
        self.hubModel = nil
    }
}
