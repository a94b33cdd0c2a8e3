import Determinism
import Effects
import Foundation
import Logging
import NodeFoundation
import Synchronization
import Testing
import Units

// Goal: each record is one line of valid JSON of bounded length with the right time. Method: known
// times and a walk over all days; hostile texts parsed by Foundation.
@Suite struct LogTests {
    private final class Lines: LogSink, EffectClock {
        private let lines = Mutex<[String]>([])
        let now = Instant.zero
        let wallTime = WallTime(unixSeconds: 1_767_225_600)

        func write(_ line: String) { lines.withLock { $0.append(line) } }
        var all: [String] { lines.withLock { $0 } }
        nonisolated(nonsending) func sleep(until deadline: Instant) async throws {}
    }

    private func logger(_ lines: Lines) -> Logger {
        Logger(label: "node") { label in
            JSONLogHandler(component: label, node: "alpha", level: .info, clock: lines, sink: lines)
        }
    }

    private func object(_ line: String) -> [String: Any]? {
        try? JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any]
    }

    @Test(
        arguments: [
            (0, "1970-01-01T00:00:00.000000Z"), (-1, "1969-12-31T23:59:59.999999Z"),
            (951_782_400_000_000_000, "2000-02-29T00:00:00.000000Z"),
            (1_767_225_599_123_456_789, "2025-12-31T23:59:59.123456Z"),
            (4_107_542_400_000_000_000, "2100-03-01T00:00:00.000000Z"),
            (Int64.max, "2262-04-11T23:47:16.854775Z"), (Int64.min, "1677-09-21T00:12:43.145224Z"),
        ] as [(Int64, String)]
    )
    func timesAreThoseOfTheCalendar(_ nanoseconds: Int64, _ text: String) {
        #expect(WallTime(nanoseconds: nanoseconds).rfc3339 == text)
    }

    /// Against a count of days by the rule of leap years.
    @Test func everyDayFollowsTheOneBefore() {
        var (year, month, day) = (1970, 1, 1)
        let lengths = [31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31]
        for number in 0..<100_000 {
            let expected = "\(year)-\(month < 10 ? "0" : "")\(month)-\(day < 10 ? "0" : "")\(day)T"
            let time = WallTime(unixSeconds: Int64(number) * 86_400 + Int64(number % 86_400))
            guard time.rfc3339.hasPrefix(expected) else {
                Issue.record("day \(number): \(time.rfc3339), expected \(expected)")
                return
            }
            let isLeap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
            day += 1
            if day > lengths[month - 1] + (month == 2 && isLeap ? 1 : 0) {
                (month, day) = (month + 1, 1)
            }
            if month > 12 { (year, month) = (year + 1, 1) }
        }
    }

    @Test func aRecordHasItsMembers() {
        let lines = Lines()
        let logger = logger(lines).component("database")
        logger.debug("not written")
        logger.warning("slow", metadata: ["ms": "12", "list": ["a", "b"], "map": ["x": "y"]])
        #expect(
            lines.all == [
                #"{"time":"2026-01-01T00:00:00.000000Z","level":"warning","component":"database","#
                    + #""node":"alpha","message":"slow","metadata":{"list":["a","b"],"#
                    + #""map":{"x":"y"},"ms":"12"}}"#
            ]
        )
    }

    /// Quotes, controls, long and deep values: one line each, valid, below the bound.
    @Test func hostileTextStaysOnItsLine() {
        let lines = Lines()
        let logger = logger(lines)
        var random = SeededRandom(stateFrom: 5)
        for round in 0..<2_000 {
            let bytes = (0..<random.below(round % 100 == 0 ? 20_000 : 60)).map { _ in
                random.below(3) == 0
                    ? UInt8(random.below(32)) : UInt8(truncatingIfNeeded: random.next())
            }
            let text = String(decoding: bytes, as: UTF8.self)
            var deep = Logger.MetadataValue.string(text)
            for _ in 0..<random.below(12) { deep = .array([deep, .dictionary([text: deep])]) }
            logger.error("\(text)", metadata: [text: .string(text), "deep": deep])
        }
        var many: Logger.Metadata = [:]
        for number in 0..<5_000 {
            many["\(number)"] = .string(String(repeating: "\n", count: 9_000))
        }
        logger.error("many", metadata: many)
        for line in lines.all {
            #expect(line.utf8.count <= 16_384 && !line.utf8.contains { $0 < 0x20 })
            guard object(line) != nil else {
                Issue.record("no JSON: \(line.prefix(300))")
                return
            }
        }
        #expect(lines.all.count == 2_001)
        #expect(object(lines.all[2_000])?["truncated"] as? Bool == true)
    }
}
