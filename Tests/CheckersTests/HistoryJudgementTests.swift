import Checkers
import Measurements
import Testing
import Units

/// Goal: what nobody could decide is neither a pass nor a violation; a history that fails is a violation
/// with its time, its sentence and its picture; bytes of any kind have one text each.
/// Method: small histories, with no step allowed and with enough of them.
@Suite struct HistoryJudgementTests {
    private static func time(_ milliseconds: Int64) -> Instant {
        Instant.zero + .milliseconds(milliseconds)
    }

    /// Two writes under way at once and a read of one of them, so that an order has to be searched for.
    private static func history(reading value: String) -> ClientHistory {
        var history = ClientHistory()
        let first = history.invoke(process: 0, .put(key: "a", value: "1"), at: time(0))
        let second = history.invoke(process: 1, .put(key: "a", value: "2"), at: time(0))
        history.answer(first, .done, at: time(10))
        history.answer(second, .done, at: time(10))
        let read = history.invoke(process: 0, .get(key: "a"), at: time(20))
        history.answer(read, .value(value), at: time(30))
        return history
    }

    private static func judge(
        _ histories: [ClientHistory],
        _ limits: LinearizabilityLimits = LinearizabilityLimits()
    ) -> HistoryJudgement {
        HistoryJudgement(histories, name: "linearizable", limits: limits, at: time(1_000))
    }

    @Test func whatIsNotDecidedIsNoViolation() {
        let histories = [Self.history(reading: "1"), Self.history(reading: "7")]
        let judgement = Self.judge(histories, LinearizabilityLimits(steps: 0))
        #expect(judgement.outcome.violationCount == 0)
        #expect(judgement.outcome.checked == 0)
        #expect(judgement.undecided?.hasPrefix("whether the history of group 0 is") == true)
        #expect(judgement.undecided?.hasSuffix("within the bound on steps") == true)
        #expect(judgement.picture == nil)
    }

    @Test func aHistoryThatFailsIsAViolationWithAPicture() throws {
        let judgement = Self.judge([Self.history(reading: "1"), Self.history(reading: "7")])
        #expect(judgement.undecided == nil)
        #expect(judgement.outcome.checked == 6)
        let violation = try #require(judgement.outcome.violations.first)
        #expect(judgement.outcome.violationCount == 1)
        #expect(violation.time == Self.time(30))
        #expect(
            violation.message
                == "group 1: no order of requests explains get of 'a', which found '7'"
        )
        #expect(judgement.picture?.svg.contains("Not linearizable") == true)
    }

    @Test func bytesHaveOneTextEach() {
        let texts = (UInt8.min...UInt8.max).map { String(historyBytes: [$0]) }
        #expect(Set(texts).count == 256)
        // The order of texts, as a scan sees it, is that of bytes.
        for (left, right) in zip(texts, texts.dropFirst()) {
            #expect(left.utf8.lexicographicallyPrecedes(right.utf8))
        }
        // Two spellings of one letter, and two ends that are no UTF-8, stay apart.
        let spellings: [[UInt8]] = [[0xc3, 0xa9], [0x65, 0xcc, 0x81], [0xff], [0xfe]]
        #expect(Set(spellings.map { String(historyBytes: $0[...]) }).count == 4)
        #expect(String(historyBytes: Array("plain".utf8)[...]) == "plain")
        #expect(
            String(historyBytes: [0xc3]) + String(historyBytes: [0xa9])
                == String(historyBytes: [0xc3, 0xa9])
        )
    }

    @Test func sentencesPrintWhateverWasWritten() {
        var history = ClientHistory()
        let value = String(historyBytes: [0x41, 0x0a, 0xff])
        let put = history.invoke(process: 0, .put(key: "k", value: value), at: .zero)
        history.answer(put, .done, at: Self.time(1))
        #expect(history.described(put) == "put of 'A\\x0A\\xFF' at 'k'")
    }
}
