import Determinism
import Effects
import NodeOperations
import Testing
import Units

// Goal: a schedule names exactly the minutes that crontab's rules name, and wrong text is refused
// with its place. Method: known expressions, a walk over every minute of years with a reader of
// its own for random expressions, and random text.
@Suite struct CronExpressionTests {
    private func time(_ year: Int, _ month: Int, _ day: Int, _ hour: Int, _ minute: Int) -> WallTime
    {
        var calendar = WalkedCalendar()
        while (calendar.year, calendar.month, calendar.day) != (year, month, day) {
            calendar.nextDay()
        }
        return WallTime(unixSeconds: Int64(calendar.days * 1440 + hour * 60 + minute) * 60)
    }

    @Test func knownSchedules() throws {
        let start = time(2026, 2, 27, 23, 58)
        let cases: [(String, WallTime)] = [
            ("* * * * *", time(2026, 2, 27, 23, 59)),
            ("0 0 * * *", time(2026, 2, 28, 0, 0)),
            ("*/10 * * * *", time(2026, 2, 28, 0, 0)),
            ("58 23 * * *", time(2026, 2, 28, 23, 58)),
            ("17 3 1 * *", time(2026, 3, 1, 3, 17)),
            ("0 12 29 feb *", time(2028, 2, 29, 12, 0)),
            // 2026-02-27 is a Friday.
            ("41 4 * * 0", time(2026, 3, 1, 4, 41)),
            ("41 4 * * 7", time(2026, 3, 1, 4, 41)),
            ("41 4 * * SUN", time(2026, 3, 1, 4, 41)),
            ("0 0 * * mon-fri", time(2026, 3, 2, 0, 0)),
            ("0 0 * * 5-7", time(2026, 2, 28, 0, 0)),
            // Either of the two days.
            ("0 0 13 * 1", time(2026, 3, 2, 0, 0)),
            ("5,7-9,50-58/4 1 1 1 *", time(2027, 1, 1, 1, 5)),
            ("0 0 31 4,6,12 *", time(2026, 12, 31, 0, 0)),
            (" \t0 0\t31  dec  * ", time(2026, 12, 31, 0, 0)),
        ]
        for (text, expected) in cases {
            #expect(try CronExpression(text).next(after: start) == expected, "\(text)")
        }
        let leap = try CronExpression("0 0 29 2 *")
        #expect(leap.next(after: time(2096, 3, 1, 0, 0)) == time(2104, 2, 29, 0, 0))
        #expect(leap.next(after: time(1999, 3, 1, 0, 0)) == time(2000, 2, 29, 0, 0))
    }

    @Test func wrongSchedulesSayWhere() {
        let cases: [(String, CronError)] = [
            ("", CronError(column: 1, reason: .fieldCount(0))),
            ("* * * *", CronError(column: 8, reason: .fieldCount(4))),
            ("* * * * * *", CronError(column: 11, reason: .fieldCount(6))),
            (
                "60 * * * *",
                CronError(column: 1, reason: .outOfRange(60, field: "minute", range: 0...59))
            ),
            (
                "* * 0 * *",
                CronError(column: 5, reason: .outOfRange(0, field: "day of month", range: 1...31))
            ),
            ("* 5-x * * *", CronError(column: 5, reason: .badValue("x", field: "hour"))),
            ("* * * feb- *", CronError(column: 11, reason: .badValue("", field: "month"))),
            ("1,,2 * * * *", CronError(column: 3, reason: .badValue("", field: "minute"))),
            ("* * * * fri-mon", CronError(column: 13, reason: .descending(5, 1))),
            ("*/0 * * * *", CronError(column: 3, reason: .badStep("0"))),
            ("*/ * * * *", CronError(column: 3, reason: .badStep(""))),
            ("5/2 * * * *", CronError(column: 2, reason: .stepWithoutRange)),
            ("-1 * * * *", CronError(column: 1, reason: .badValue("", field: "minute"))),
            ("0 0 30 2 *", CronError(column: 5, reason: .never)),
            ("0 0 31 feb,apr *", CronError(column: 5, reason: .never)),
        ]
        for (text, expected) in cases {
            #expect(throws: expected, "\(text)") { try CronExpression(text) }
        }
        #expect(throws: CronError(column: 1001, reason: .tooLong)) {
            try CronExpression(String(repeating: "*", count: 2000))
        }
        // The day of the week comes in any case.
        #expect(throws: Never.self) { try CronExpression("0 0 31 2 1") }
    }

    @Test func everyMinuteOfYearsAgreesWithAWalk() throws {
        var random = SeededRandom(seed: 3, entity: EntityID(.node, 0), purpose: "schedules")
        for round in 0..<60 {
            let fields = (0..<5).map { RandomField($0, &random) }
            let text = fields.map(\.text).joined(separator: " ")
            guard let expression = try? CronExpression(text) else { continue }
            var calendar = WalkedCalendar()
            // Around the leap year 2000, and other years.
            let year = [1970, 1996, 1999, 2023, 2026, 2095][round % 6]
            while calendar.year < year { calendar.nextDay() }
            let from = WallTime(unixSeconds: Int64(calendar.days) * 86_400 - 1)
            var expected = expression.next(after: from)
            let lastDay = calendar.days + 1200
            var checked = 0
            while calendar.days < lastDay {
                if calendar.matches(fields) {
                    for minute in 0..<1440
                    where fields[0].values.contains(minute % 60)
                        && fields[1].values.contains(minute / 60)
                    {
                        let second = Int64(calendar.days) * 86_400 + Int64(minute) * 60
                        let now = WallTime(unixSeconds: second)
                        guard expected == now else {
                            Issue.record("\(text): \(expected as Any) instead of \(now)")
                            return
                        }
                        expected = expression.next(after: now)
                        checked += 1
                    }
                }
                calendar.nextDay()
            }
            let end = WallTime(unixSeconds: Int64(lastDay) * 86_400)
            #expect(expected.map { $0 >= end } ?? false, "\(text) after \(checked) times")
        }
    }

    @Test func timesBetweenMinutesAndAtTheEndsOfTime() throws {
        let every = try CronExpression("* * * * *")
        #expect(every.next(after: WallTime(nanoseconds: 0)) == WallTime(unixSeconds: 60))
        #expect(every.next(after: WallTime(nanoseconds: -1)) == WallTime(unixSeconds: 0))
        #expect(
            every.next(after: WallTime(nanoseconds: 59_999_999_999)) == WallTime(unixSeconds: 60)
        )
        #expect(every.next(after: WallTime(nanoseconds: .max)) == nil)
        #expect(every.next(after: WallTime(nanoseconds: .min)) != nil)
        #expect(try CronExpression("0 0 29 2 *").next(after: WallTime(nanoseconds: .max)) == nil)
    }

    @Test func randomTextNeverTraps() {
        var random = SeededRandom(seed: 5, entity: EntityID(.node, 0), purpose: "cron text")
        let parts = Array("0123456789*/,- \tjanfebsunxé\u{301}\n").map { String($0) }
        var read = 0
        for _ in 0..<100_000 {
            var text = ""
            if random.below(2) == 0 {
                text = (0..<5).map { RandomField($0, &random).text }.joined(separator: " ")
                var characters = Array(text)
                for _ in 0..<random.below(3) {
                    let place = Int(random.below(UInt64(characters.count)))
                    characters[place] = Character(parts[Int(random.below(UInt64(parts.count)))])
                }
                text = String(characters)
            } else {
                for _ in 0..<random.below(24) {
                    text += parts[Int(random.below(UInt64(parts.count)))]
                }
            }
            do {
                let expression = try CronExpression(text)
                read += 1
                let time = WallTime(nanoseconds: Int64(bitPattern: random.next()))
                if let next = expression.next(after: time) { #expect(next > time) }
            } catch {
                #expect((1...1001).contains(error.column), "\(text): \(error)")
            }
        }
        #expect(read > 1000)
    }
}

/// One field with the values it names, made without the code under test.
private struct RandomField {
    var text: String
    var values: Set<Int>
    var isFree = false

    init(_ index: Int, _ random: inout SeededRandom) {
        let range = [0...59, 0...23, 1...31, 1...12, 0...6][index]
        func value() -> Int { range.lowerBound + Int(random.below(UInt64(range.count))) }
        if random.below(3) == 0 {
            text = "*"
            values = Set(range)
            isFree = true
            return
        }
        var items: [String] = []
        values = []
        for _ in 0...random.below(2) {
            let (first, second) = (value(), value())
            let (low, high) = (min(first, second), max(first, second))
            let step = 1 + Int(random.below(7))
            switch random.below(4) {
            case 0:
                items.append("\(low)")
                values.insert(low)
            case 1:
                items.append("\(low)-\(high)")
                values.formUnion(low...high)
            case 2:
                items.append("\(low)-\(high)/\(step)")
                values.formUnion(stride(from: low, through: high, by: step))
            default:
                items.append("*/\(step)")
                values.formUnion(
                    stride(from: range.lowerBound, through: range.upperBound, by: step)
                )
            }
        }
        text = items.joined(separator: ",")
    }
}

/// The calendar, one day after the other from Thursday, 1 January 1970.
private struct WalkedCalendar {
    var days = 0
    var year = 1970
    var month = 1
    var day = 1
    var weekday = 4

    mutating func nextDay() {
        days += 1
        weekday = (weekday + 1) % 7
        day += 1
        let isLeap = year % 400 == 0 || (year % 4 == 0 && year % 100 != 0)
        let lengths = [31, isLeap ? 29 : 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31]
        if day > lengths[month - 1] {
            day = 1
            month += 1
        }
        if month > 12 {
            month = 1
            year += 1
        }
    }

    func matches(_ fields: [RandomField]) -> Bool {
        guard fields[3].values.contains(month) else { return false }
        let dayMatches = fields[2].values.contains(day)
        let weekdayMatches = fields[4].values.contains(weekday)
        if !fields[2].isFree, !fields[4].isFree { return dayMatches || weekdayMatches }
        return dayMatches && weekdayMatches
    }
}
