import Foundation

/// Formats dates like C's `strftime` in the C locale.
enum TemplateClock {
    private static let weekdays = ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"]
    private static let months = [
        "January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November",
        "December",
    ]

    /// Formats `date` in the local time zone. Unknown codes are copied unchanged.
    static func formatted(_ date: Date, _ format: TemplateString) throws(TemplateFailure) -> TemplateString {
        var calendar = Calendar(identifier: .gregorian)
        calendar.timeZone = .current
        let parts = calendar.dateComponents(
            [.year, .month, .day, .hour, .minute, .second, .nanosecond, .weekday], from: date)
        let dayOfYear = calendar.ordinality(of: .day, in: .year, for: date) ?? 1
        var builder = TemplateStringBuilder()
        var rest = format.scalars[...]
        while let scalar = rest.popFirst() {
            guard scalar == "%", var code = rest.popFirst() else {
                try builder.append(trusted: String(scalar))
                continue
            }
            // A glibc extension: `%-d` is the number without padding.
            let isUnpadded = code == "-" && !rest.isEmpty
            if isUnpadded { code = rest.removeFirst() }
            var text = field(code, parts, dayOfYear: dayOfYear, date: date, in: calendar)
            if isUnpadded, let plain = text.flatMap({ Int($0) }) { text = String(plain) }
            try builder.append(trusted: text ?? "%" + (isUnpadded ? "-" : "") + String(code))
        }
        return builder.string.trusted(ifTrusted: format)
    }

    private static func field(
        _ code: Unicode.Scalar, _ parts: DateComponents, dayOfYear: Int, date: Date, in calendar: Calendar
    ) -> String? {
        let (year, month, day) = (parts.year ?? 1970, parts.month ?? 1, parts.day ?? 1)
        let (hour, minute, second) = (parts.hour ?? 0, parts.minute ?? 0, parts.second ?? 0)
        let weekday = (parts.weekday ?? 1) - 1
        let hour12 = hour % 12 == 0 ? 12 : hour % 12
        let time = "\(padded(hour)):\(padded(minute)):\(padded(second))"
        switch code {
        case "Y": return String(year)
        case "y": return padded(year % 100)
        case "C": return padded(year / 100)
        case "m": return padded(month)
        case "B": return months[month - 1]
        case "b", "h": return String(months[month - 1].prefix(3))
        case "d": return padded(day)
        case "e": return day < 10 ? " \(day)" : String(day)
        case "j": return padded(dayOfYear, 3)
        case "A": return weekdays[weekday]
        case "a": return String(weekdays[weekday].prefix(3))
        case "w": return String(weekday)
        case "u": return String(weekday == 0 ? 7 : weekday)
        case "U": return padded((dayOfYear + 6 - weekday) / 7)
        case "W": return padded((dayOfYear + 6 - (weekday + 6) % 7) / 7)
        case "H": return padded(hour)
        case "I": return padded(hour12)
        case "M": return padded(minute)
        case "S": return padded(second)
        case "f": return padded((parts.nanosecond ?? 0) / 1000, 6)
        case "p": return hour < 12 ? "AM" : "PM"
        case "F": return "\(year)-\(padded(month))-\(padded(day))"
        case "T", "X": return time
        case "R": return "\(padded(hour)):\(padded(minute))"
        case "D", "x": return "\(padded(month))/\(padded(day))/\(padded(year % 100))"
        case "c":
            let date = "\(weekdays[weekday].prefix(3)) \(months[month - 1].prefix(3)) \(day < 10 ? " " : "")\(day)"
            return "\(date) \(time) \(year)"
        // A naive time, as in the reference, has no time zone.
        case "z", "Z": return ""
        case "s": return String(Int(date.timeIntervalSince1970))
        case "n": return "\n"
        case "t": return "\t"
        case "%": return "%"
        default: return nil
        }
    }

    private static func padded(_ number: Int, _ width: Int = 2) -> String {
        let digits = String(number)
        return String(repeating: "0", count: max(0, width - digits.count)) + digits
    }
}
