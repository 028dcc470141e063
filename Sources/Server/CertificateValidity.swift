import Foundation
import HTTP
import Logging

/// Warns the operator about a certificate that clients reject, or will reject soon.
///
/// The server starts and reloads in any case: some clients do not check dates, the server's own clock may be wrong, and a
/// server that does not start is worse than one that warns.
struct CertificateValidity: Equatable {
    /// The time before expiry at which warnings begin, in seconds.
    static let warningSeconds = 14 * 86400

    enum State: Equatable {
        case valid, endsSoon, ended, notBegun, unknown
    }

    let file: String
    /// The period in which all certificates of the chain are valid, in Unix time; `nil` if it is not known.
    let range: ClosedRange<Int>?

    /// - Parameter now: Unix time in seconds.
    func state(now: Int) -> State {
        guard let range else { return .unknown }
        if now > range.upperBound { return .ended }
        if now < range.lowerBound { return .notBegun }
        return range.upperBound - now < Self.warningSeconds ? .endsSoon : .valid
    }

    /// Logs any problem, with file and date.
    func log(to logger: Logger, now: Int = Int(Date().timeIntervalSince1970)) {
        switch state(now: now) {
        case .valid: break
        case .endsSoon:
            logger.warning("TLS certificate expires within 14 days", metadata: metadata("not_after", range?.upperBound))
        case .ended: logger.error("TLS certificate expired", metadata: metadata("not_after", range?.upperBound))
        case .notBegun:
            logger.error("TLS certificate not yet valid", metadata: metadata("not_before", range?.lowerBound))
        case .unknown:
            logger.error("TLS certificate has no period of validity", metadata: metadata("not_after", nil))
        }
    }

    private func metadata(_ name: String, _ seconds: Int?) -> Logger.Metadata {
        guard let seconds else { return ["file": "\(file)"] }
        let date = Date(timeIntervalSince1970: TimeInterval(seconds)).formatted(Date.ISO8601FormatStyle())
        return ["file": "\(file)", "\(name)": "\(date)"]
    }
}
