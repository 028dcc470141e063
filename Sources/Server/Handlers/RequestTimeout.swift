import Foundation
import HTTPTypes

/// The header that sets a request's deadline, for clients that cannot change the body: seconds, like the parameter `timeout`.
enum RequestTimeout {
    static let header = "x-request-timeout"

    /// - Throws: if the header is present and not a number of seconds within the bounds.
    static func read(_ fields: HTTPFields) throws(APIError) -> Duration? {
        guard let name = HTTPField.Name(header), let text = fields[name] else { return nil }
        let bounds = GenerationOptions.timeouts
        // Swift's numbers also have a hexadecimal form.
        guard text.allSatisfy({ "0123456789.eE+-".contains($0) }), let seconds = Double(text),
            seconds > bounds.lowerBound, seconds <= bounds.upperBound
        else {
            throw .invalid(
                param: header,
                message:
                    "'\(header)' must be seconds above 0 and at most \(Int(bounds.upperBound)), not '\(text.excerpt)'.")
        }
        return .seconds(seconds)
    }
}
