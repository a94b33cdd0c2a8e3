import Migration
import Testing
import Units

// Goal: each reason to stop the guest is given exactly when its condition holds.
// Method: a table of situations around each bound.
@Suite struct ConvergenceRuleTests {
    private let rule = ConvergenceRule(
        downtimeGoal: .milliseconds(100),
        roundLimit: 5,
        volumeLimit: 3,
        progress: Ratio(0.9),
        patience: 2
    )

    private func situation(
        remaining: Int64 = 10_000_000,
        rate: BitRate? = .megabits(80),
        rounds: Int = 1,
        sent: Int64 = 0,
        stagnation: Int = 0
    ) -> ConvergenceRule.Situation {
        ConvergenceRule.Situation(
            remaining: ByteCount(remaining),
            rate: rate,
            rounds: rounds,
            sent: ByteCount(sent),
            memory: .mebibytes(64),
            stagnation: stagnation
        )
    }

    @Test func reasons() {
        let table: [(ConvergenceRule.Situation, StopReason?)] = [
            // 80 Mbit/s carry 1,000,000 bytes in 100 ms.
            (situation(remaining: 1_000_000), .converged),
            (situation(remaining: 1_000_001), nil),
            (situation(remaining: 0, rate: nil), .converged),
            (situation(remaining: 1, rate: nil), nil),
            (situation(rounds: 4), nil),
            (situation(rounds: 5), .roundLimit),
            (situation(rounds: 2, sent: 3 << 26), .volumeLimit),
            (situation(rounds: 1, sent: 3 << 26), nil),
            (situation(rounds: 2, sent: 3 << 26 - 1), nil),
            (situation(rounds: 2, stagnation: 1), nil),
            (situation(rounds: 2, stagnation: 2), .noProgress),
            (situation(remaining: 1_000_000, rounds: 5, stagnation: 2), .converged),
        ]
        for (situation, expected) in table {
            #expect(rule.reasonToStop(situation) == expected, "\(situation)")
        }
    }
}
