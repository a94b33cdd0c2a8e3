import Checkers
import Determinism
import Foundation
import Testing
import Units

// Goal: a history that was recorded comes back from a file as it was, and no file can do harm.
// Method: seeded histories written and read again; damaged bytes; hand-written lines with what is
// wrong with each; merging.
@Suite struct ClientHistoryTests {
    private static func sample(_ seed: UInt64) -> ClientHistory {
        var random = SeededRandom(seed: seed, entity: EntityID(.experiment, 0), purpose: "files")
        return HistoryGenerator(
            processes: 4,
            operations: 40,
            keys: 3,
            mix: ClientHistory.Kind.allCases,
            unknown: Ratio(0.2)
        ).linearizable(using: &random)
    }

    private static func isEqual(_ left: ClientHistory, _ right: ClientHistory) -> Bool {
        guard left.count == right.count, left.eventCount == right.eventCount else { return false }
        return (0..<left.count).allSatisfy { number in
            left.call(of: number) == right.call(of: number)
                && left.answer(of: number) == right.answer(of: number)
                && left.outcome(of: number) == right.outcome(of: number)
                && left.process(of: number) == right.process(of: number)
                && left.intended(of: number) == right.intended(of: number)
                && left.called(number) == right.called(number)
                && left.ended(number) == right.ended(number)
                && left.callPosition(of: number) == right.callPosition(of: number)
                && left.endPosition(of: number) == right.endPosition(of: number)
        }
    }

    @Test func whatIsWrittenIsReadAgain() throws {
        for seed in 0..<UInt64(50) {
            let history = Self.sample(seed)
            let again = try ClientHistory.parse(jsonLines: history.jsonLines.utf8)
            #expect(Self.isEqual(history, again), "seed \(seed)")
            #expect(history.jsonLines == again.jsonLines)
        }
    }

    @Test func textsOfAllKindsSurvive() throws {
        var history = ClientHistory()
        let texts = [
            "", "\"quoted\\\"", "a\nb\tc\r\u{0}\u{1F}", "Grüße 🦊 \u{2028}", "{\"a\":[1,2]}",
        ]
        for (index, text) in texts.enumerated() {
            let time = Instant(nanoseconds: Int64(index))
            let call = ClientHistory.Call.compareAndSwap(key: text, expected: nil, value: text)
            let number = history.invoke(process: Int32(index), call, intended: .zero, at: time)
            if index % 2 == 0 {
                history.fail(number, at: time)
            } else {
                history.answer(number, .swapped(true), at: time)
            }
        }
        let again = try ClientHistory.parse(jsonLines: history.jsonLines.utf8)
        #expect(Self.isEqual(history, again))
    }

    @Test func damagedFilesGiveErrorsOrHistories() {
        var random = SeededRandom(seed: 11, entity: EntityID(.experiment, 0), purpose: "damage")
        var accepted = 0
        var refused = 0
        let sources = (0..<8).map { Array(Self.sample($0).jsonLines.utf8) }
        for _ in 0..<20_000 {
            var bytes = sources[Int(random.below(8))]
            let start = Int(random.below(UInt64(bytes.count)))
            let window = start..<min(bytes.count, start + 400)
            bytes = Array(bytes[window])
            for _ in 0...random.below(3) where !bytes.isEmpty {
                let place = Int(random.below(UInt64(bytes.count)))
                switch random.below(3) {
                case 0: bytes[place] = UInt8(truncatingIfNeeded: random.next())
                case 1: bytes.remove(at: place)
                default: bytes.insert(contentsOf: "}{\"\\[,0:".utf8.prefix(2), at: place)
                }
            }
            do {
                let history = try ClientHistory.parse(jsonLines: bytes)
                accepted += 1
                let (model, operations, _) = KeyValueModel.prepare(history)
                _ = LinearizabilityChecker(model).check(operations)
            } catch {
                refused += 1
            }
        }
        // Cut lines are refused; some damage leaves a history.
        #expect(refused > 10_000)
        #expect(accepted + refused == 20_000)
    }

    @Test(
        arguments: [
            ("[]", "expected '{'"),
            ("{\"time\":1}", "'process' is missing"),
            ("{\"time\":1.5,\"process\":0,\"type\":\"ok\"}", "numbers are whole"),
            ("{\"time\":1,\"process\":-1,\"type\":\"ok\"}", "'process' is a number from 0"),
            ("{\"time\":1,\"process\":0,\"type\":\"ok\"}", "process 0 has no open operation"),
            ("{\"time\":1,\"time\":2}", "'time' appears twice"),
            ("{\"time\":99999999999999999999}", "expected a value"),
            (
                "{\"time\":1,\"process\":0,\"type\":\"invoke\",\"operation\":\"get\","
                    + "\"key\":\"a\",\"x\":1}",
                "'x' does not belong here"
            ),
            (
                "{\"time\":1,\"process\":0,\"type\":\"invoke\",\"operation\":\"rename\","
                    + "\"key\":\"a\"}",
                "there is no operation 'rename'"
            ),
            ("{\"time\":1,\"process\":0,\"type\":\"\\ud800\"}", "half of a surrogate pair"),
            ("{\"a\":[[[[[[1]]]]]]}", "nested too deep"),
        ]
    )
    func problemsAreNamed(line: String, problem: String) {
        #expect {
            _ = try ClientHistory.parse(jsonLines: ("\n" + line + "\n").utf8)
        } throws: { error in
            guard case HistoryError.line(2, let text)? = error as? HistoryError else {
                return false
            }
            return text.contains(problem)
        }
    }

    @Test func linesKeepTheOrderOfTime() {
        let lines = """
            {"time":5,"process":0,"type":"invoke","operation":"get","key":"a"}
            {"time":4,"process":0,"type":"ok","value":null}
            """
        #expect(throws: HistoryError.self) { try ClientHistory.parse(jsonLines: lines.utf8) }
    }

    @Test func mergedHistoriesInterleaveByTime() throws {
        var left = ClientHistory()
        var right = ClientHistory()
        let put = left.invoke(
            process: 1,
            .put(key: "a", value: "1"),
            at: Instant(nanoseconds: 10)
        )
        left.answer(put, .done, at: Instant(nanoseconds: 20))
        let get = right.invoke(process: 2, .get(key: "a"), at: Instant(nanoseconds: 20))
        right.answer(get, .value(nil), at: Instant(nanoseconds: 30))
        // The read was called at the instant at which the write returned: they count as concurrent.
        let merged = try ClientHistory.merged([left, right])
        let (model, operations, _) = KeyValueModel.prepare(merged)
        #expect(LinearizabilityChecker(model).check(operations).verdict == .linearizable)
        #expect(throws: HistoryError.sharedProcess(1)) { try ClientHistory.merged([left, left]) }
    }

    @Test func aPictureShowsTheFailure() throws {
        let lines = """
            {"time":1,"process":0,"type":"invoke","operation":"put","key":"a","value":"<1>"}
            {"time":2,"process":1,"type":"invoke","operation":"put","key":"a","value":"2"}
            {"time":3,"process":1,"type":"unknown"}
            {"time":4,"process":0,"type":"ok"}
            {"time":5,"process":2,"type":"invoke","operation":"get","key":"a"}
            {"time":6,"process":2,"type":"ok","value":"2"}
            {"time":7,"process":0,"type":"invoke","operation":"get","key":"a"}
            {"time":8,"process":0,"type":"ok","value":"<1>"}
            {"time":9,"process":0,"type":"invoke","operation":"get","key":"a"}
            {"time":10,"process":0,"type":"ok","value":"2"}
            """
        let verification = HistoryVerification(try ClientHistory.parse(jsonLines: lines.utf8))
        #expect(verification.report.verdict == .notLinearizable)
        let failure = try #require(verification.report.failure)
        #expect(failure.isMinimal)
        #expect(failure.end == 7)
        let svg = try #require(verification.picture).svg
        #expect(svg.hasPrefix("<svg ") && svg.hasSuffix("</svg>\n"))
        #expect(svg.contains("prefers-color-scheme: dark"))
        #expect(svg.contains("✗") && svg.contains("“&lt;1&gt;”") && !svg.contains("“<1>”"))
        #expect(svg.components(separatedBy: "<rect x=").count - 1 == 4)
        #expect(svg.components(separatedBy: "stroke-dasharray").count - 1 == 1)
    }
}
