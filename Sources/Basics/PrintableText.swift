extension String {
    /// The text of a file or a server as it may go to a terminal or a log: without control characters, and cut at a length.
    ///
    /// - Parameter limit: the most Unicode scalars; a longer text ends in `...`.
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
