public import Effects

extension WallTime {
    /// As RFC 3339 writes it, in UTC with microseconds: `2026-01-01T00:00:00.000000Z`.
    ///
    /// The Gregorian calendar, from day numbers by Hinnant, "chrono-Compatible Low-Level Date
    /// Algorithms", civil_from_days. All times of this type lie in the years 1677 to 2262.
    public var rfc3339: String {
        let seconds = unixSeconds
        let microseconds = (nanoseconds &- seconds &* 1_000_000_000) / 1_000
        let day = seconds >= 0 ? seconds / 86_400 : (seconds - 86_399) / 86_400
        let second = seconds - day * 86_400
        // Years begin in March here, so that the leap day is the last one.
        let shifted = day + 719_468
        let era = shifted / 146_097
        let dayOfEra = shifted - era * 146_097
        let yearOfEra =
            (dayOfEra - dayOfEra / 1460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let marchMonth = (5 * dayOfYear + 2) / 153
        let dayOfMonth = dayOfYear - (153 * marchMonth + 2) / 5 + 1
        let month = marchMonth < 10 ? marchMonth + 3 : marchMonth - 9
        let year = yearOfEra + era * 400 + (month <= 2 ? 1 : 0)
        let date = "\(WallTime.digits(year, 4))-\(WallTime.digits(month, 2))-"
        let time =
            "\(WallTime.digits(second / 3600, 2)):\(WallTime.digits(second / 60 % 60, 2)):"
            + WallTime.digits(second % 60, 2)
        return "\(date)\(WallTime.digits(dayOfMonth, 2))T\(time)."
            + "\(WallTime.digits(microseconds, 6))Z"
    }

    private static func digits(_ value: Int64, _ count: Int) -> String {
        let text = String(value)
        return String(repeating: "0", count: max(0, count - text.utf8.count)) + text
    }
}
