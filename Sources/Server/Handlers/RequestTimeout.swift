import Foundation
import HTTPTypes

/// The header that sets a request's deadline, for whoever cannot change its body: seconds, as the parameter `timeout` has them.
enum RequestTimeout {
    static let header = "x-request-timeout"

    /// - Throws: when the header is there and is no number of seconds within bounds.
    static func read(_ fields: HTTPFields) throws(APIError) -> Duration? {
        guard let name = HTTPField.Name(header), let text = fields[name] else { return nil }
        let bounds = GenerationOptions.timeouts
        guard let seconds = Double(text), seconds > bounds.lowerBound, seconds <= bounds.upperBound else {
            throw .invalid(
                param: header,
                message:
                    "'\(header)' must be seconds above 0 and at most \(Int(bounds.upperBound)), not '\(text.excerpt)'.")
        }
        return .seconds(seconds)
    }
}
