extension String {
    /// Returns the text without control characters and of limited length. Use it for text from files and other servers that is
    /// printed on a terminal or logged.
    ///
    /// - Parameter limit: The maximum number of Unicode scalars. A longer text is cut and ends with `...`.
    package func printable(atMost limit: Int = 200) -> String {
        var (result, count) = (UnicodeScalarView(), 0)
        for scalar in unicodeScalars where scalar.properties.generalCategory != .control {
            guard count < limit else { return String(result) + "..." }
            result.append(scalar)
            count += 1
        }
        return String(result)
    }
}
