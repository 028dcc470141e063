/// Writes date and time in the format of HTTP (RFC 9110, 5.6.7).
enum HTTPDate {
    /// Returns the IMF-fixdate, for example `Sun, 06 Nov 1994 08:49:37 GMT`.
    ///
    /// - Parameter seconds: The time since 1970-01-01 00:00:00 UTC, not negative.
    static func string(secondsSince1970 seconds: Int) -> String {
        let days = seconds / 86_400
        let second = seconds % 86_400
        let (year, month, day) = civil(daysSince1970: days)
        // 1970-01-01 was a Thursday.
        return "\(weekdays[(days + 4) % 7]), \(padded(day)) \(months[month - 1]) \(year) "
            + "\(padded(second / 3600)):\(padded(second / 60 % 60)):\(padded(second % 60)) GMT"
    }

    private static let weekdays = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"]
    private static let months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]

    private static func padded(_ number: Int) -> String { number < 10 ? "0\(number)" : "\(number)" }

    /// Returns the Gregorian date. Days are counted in 400-year eras of years that begin in March, so that the leap day is the last
    /// day of a year.
    private static func civil(daysSince1970 days: Int) -> (year: Int, month: Int, day: Int) {
        let shifted = days + 719_468
        let era = shifted / 146_097
        let dayOfEra = shifted % 146_097
        let yearOfEra = (dayOfEra - dayOfEra / 1_460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let marchMonth = (5 * dayOfYear + 2) / 153
        let day = dayOfYear - (153 * marchMonth + 2) / 5 + 1
        let month = marchMonth < 10 ? marchMonth + 3 : marchMonth - 9
        return (yearOfEra + era * 400 + (month <= 2 ? 1 : 0), month, day)
    }
}
