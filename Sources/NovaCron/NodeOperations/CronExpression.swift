public import Effects

/// A schedule of five fields: minute, hour, day of month, month, day of week; in UTC.
///
/// A field is `*`, a number, a name (`jan`…`dec`, `sun`…`sat`), a range `a-b`, a range or `*` with a
/// step (`*/10`, `8-18/2`), or a list of these. Sunday is 0 and 7. As POSIX `crontab` says: when day
/// of month and day of week are both not `*`, a day matches if either does. `*/1` counts as given.
/// Schedules that never come, such as 30 February, are refused.
public struct CronExpression: Hashable, Sendable {
    /// Bit n stands for the value n.
    private let minutes: UInt64
    private let hours: UInt64
    private let days: UInt64
    private let months: UInt64
    private let weekdays: UInt64
    private let daysAreFree: Bool
    private let weekdaysAreFree: Bool

    /// The longest text that is read.
    public static let lengthLimit = 1000
    /// The longest wait is for 29 February across 2100.
    private static let searchedDays = 8 * 366 + 1

    public init(_ text: String) throws(CronError) {
        let fields = try CronFields(text).values
        minutes = fields[0].bits
        hours = fields[1].bits
        days = fields[2].bits
        months = fields[3].bits
        // Sunday has two numbers.
        weekdays = (fields[4].bits | fields[4].bits >> 7) & 0x7F
        daysAreFree = fields[2].isFree
        weekdaysAreFree = fields[4].isFree
        guard !weekdaysAreFree || hasPossibleDay else {
            throw CronError(column: fields[2].column, reason: .never)
        }
    }

    /// Whether one of the months is long enough.
    private var hasPossibleDay: Bool {
        (1...12).contains { month in
            let length = month == 2 ? 29 : CivilDay.length(month: month, year: 2023)
            return months >> UInt64(month) & 1 == 1 && days & ((2 << UInt64(length)) - 1) != 0
        }
    }

    /// The first minute that matches and begins after `time`; `nil` beyond the range of times.
    public func next(after time: WallTime) -> WallTime? {
        let second = time.unixSeconds
        let (minute, overflow) = (CivilDay.floor(second, 60) * 60).addingReportingOverflow(60)
        guard !overflow else { return nil }
        var day = CivilDay(number: CivilDay.floor(minute, 86_400))
        var first = Int((minute - day.number * 86_400) / 60)
        for _ in 0..<CronExpression.searchedDays {
            if matches(day), let found = minuteOfDay(from: first) {
                let (nanoseconds, overflow) = (day.number * 86_400 + Int64(found) * 60)
                    .multipliedReportingOverflow(by: 1_000_000_000)
                return overflow ? nil : WallTime(nanoseconds: nanoseconds)
            }
            first = 0
            day = day.next
        }
        return nil
    }

    private func matches(_ day: CivilDay) -> Bool {
        guard months >> UInt64(day.month) & 1 == 1 else { return false }
        let dayMatches = days >> UInt64(day.day) & 1 == 1
        let weekdayMatches = weekdays >> UInt64(day.weekday) & 1 == 1
        return daysAreFree || weekdaysAreFree
            ? dayMatches && weekdayMatches : dayMatches || weekdayMatches
    }

    private func minuteOfDay(from first: Int) -> Int? {
        var hour = first / 60
        var minute = first % 60
        while hour < 24 {
            if hours >> UInt64(hour) & 1 == 1 {
                let rest = minutes >> UInt64(minute)
                if rest != 0 { return hour * 60 + minute + rest.trailingZeroBitCount }
            }
            hour += 1
            minute = 0
        }
        return nil
    }
}

/// Why a text is no schedule.
public struct CronError: Error, Hashable, Sendable, CustomStringConvertible {
    /// Counted from one, in characters.
    public var column: Int
    public var reason: Reason

    public enum Reason: Hashable, Sendable {
        case tooLong
        /// Five are needed.
        case fieldCount(Int)
        /// Neither a number nor a name that this field knows.
        case badValue(String, field: String)
        case outOfRange(Int, field: String, range: ClosedRange<Int>)
        case descending(Int, Int)
        case badStep(String)
        /// A step follows a range or `*`.
        case stepWithoutRange
        /// No such day exists.
        case never
    }

    public init(column: Int, reason: Reason) {
        self.column = column
        self.reason = reason
    }

    public var description: String {
        let text =
            switch reason {
            case .tooLong: "longer than \(CronExpression.lengthLimit) characters"
            case .fieldCount(let count): "\(count) fields; a schedule has 5"
            case .badValue(let value, let field): "'\(value)' is no \(field)"
            case .outOfRange(let value, let field, let range):
                "\(field) \(value) is not in \(range.lowerBound)-\(range.upperBound)"
            case .descending(let first, let last): "the range \(first)-\(last) goes backwards"
            case .badStep(let step): "'\(step)' is no step"
            case .stepWithoutRange: "a step follows a range or *"
            case .never: "no month has such a day"
            }
        return "column \(column): \(text)"
    }
}
