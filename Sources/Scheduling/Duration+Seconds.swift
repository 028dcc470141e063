// Estimates are floating point and may be infinite; durations trap beyond 1.7e20 seconds.

extension Duration {
    /// `seconds`, held to `zero...longest`; `longest` for what is no number.
    static func seconds(_ seconds: Double, atMost longest: Duration) -> Duration {
        guard seconds < longest / .seconds(1) else { return longest }
        return .seconds(max(0, seconds))
    }
}
