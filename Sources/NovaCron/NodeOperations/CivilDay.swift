/// A day of the Gregorian calendar, also before its invention.
///
/// Source: Hinnant, "chrono-Compatible Low-Level Date Algorithms", civil_from_days.
struct CivilDay: Hashable, Sendable {
    /// Counted from 1970-01-01.
    private(set) var number: Int64
    private(set) var year: Int64
    private(set) var month: Int
    private(set) var day: Int

    init(number: Int64) {
        self.number = number
        let shifted = number + 719_468
        let era = CivilDay.floor(shifted, 146_097)
        let dayOfEra = shifted - era * 146_097
        let yearOfEra =
            (dayOfEra - dayOfEra / 1460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let shiftedMonth = (5 * dayOfYear + 2) / 153
        day = Int(dayOfYear - (153 * shiftedMonth + 2) / 5 + 1)
        month = Int(shiftedMonth < 10 ? shiftedMonth + 3 : shiftedMonth - 9)
        year = yearOfEra + era * 400 + (month <= 2 ? 1 : 0)
    }

    /// Sunday is zero.
    var weekday: Int {
        let sum = number + 4
        return Int(sum - CivilDay.floor(sum, 7) * 7)
    }

    var next: CivilDay {
        var next = self
        next.number += 1
        next.day += 1
        if next.day > CivilDay.length(month: month, year: year) {
            next.day = 1
            next.month += 1
        }
        if next.month > 12 {
            next.month = 1
            next.year += 1
        }
        return next
    }

    static func length(month: Int, year: Int64) -> Int {
        switch month {
        case 2: year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) ? 29 : 28
        case 4, 6, 9, 11: 30
        case _: 31
        }
    }

    /// The quotient, rounded down.
    static func floor(_ value: Int64, _ divisor: Int64) -> Int64 {
        let (quotient, rest) = value.quotientAndRemainder(dividingBy: divisor)
        return rest < 0 ? quotient - 1 : quotient
    }
}
