import Experiments
import Testing
import Units

/// Goal: promises of progress look at answers, however late, and at nothing but the times without any.
/// Method: answers at given seconds.
@Suite struct AnswerSilencesTests {
    private static func silences(_ answers: [Int64], until end: Int64) -> [ClosedRange<Instant>] {
        var silences = AnswerSilences(longerThan: .seconds(10))
        for answer in answers { silences.answered(at: .zero + .seconds(answer)) }
        return silences.all(until: .zero + .seconds(end))
    }

    private static func range(_ from: Int64, _ to: Int64) -> ClosedRange<Instant> {
        Instant.zero + .seconds(from)...Instant.zero + .seconds(to)
    }

    @Test func onlyLongOnesAreKept() {
        #expect(Self.silences([5, 15, 26, 30], until: 40) == [Self.range(15, 26)])
        #expect(Self.silences([11], until: 21) == [Self.range(0, 11)])
    }

    @Test func theLastOneMayGoOn() {
        #expect(Self.silences([5, 10], until: 25) == [Self.range(10, 25)])
        #expect(Self.silences([], until: 11) == [Self.range(0, 11)])
        #expect(Self.silences([], until: 10).isEmpty)
    }
}
