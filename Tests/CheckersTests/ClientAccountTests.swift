import Checkers
import Testing
import Units

// Goal: latency, errors, outages and recovery follow from what clients asked for and heard.
// Method: hand-made histories whose figures can be counted on fingers.
@Suite struct ClientAccountTests {
    /// One probe a second; `nil` when it was given up, otherwise how long the answer took.
    private static func probes(_ answers: [Interval?], timeout: Interval) -> ClientHistory {
        var events: [(time: Instant, probe: Int, isEnd: Bool)] = []
        for (probe, answer) in answers.enumerated() {
            let due = Instant.zero + .seconds(Int64(probe))
            events.append((due, probe, false))
            events.append((due + (answer ?? timeout), probe, true))
        }
        events.sort { ($0.time, $0.probe) < ($1.time, $1.probe) }
        var history = ClientHistory()
        for event in events {
            if event.isEnd {
                if answers[event.probe] == nil {
                    history.giveUp(event.probe, at: event.time)
                } else {
                    history.answer(event.probe, .value(nil), at: event.time)
                }
            } else {
                let call = ClientHistory.Call.get(key: "probe")
                _ = history.invoke(process: Int32(event.probe), call, at: event.time)
            }
        }
        return history
    }

    private static let fast = Interval.milliseconds(10)

    @Test func timeoutsCountAsErrorsAtTheTimeout() throws {
        let timeout = Interval.milliseconds(1500)
        let answers = [Self.fast, nil, .seconds(2), Self.fast]
        // The third is answered after the time-out, so the client has given up on it.
        let account = ClientAccount(
            Self.probes(answers, timeout: timeout),
            timeout: timeout,
            from: .zero,
            to: Instant.zero + .seconds(4)
        )
        #expect(account.sent == 4 && account.served == 2 && account.errors == 2)
        #expect(account.latencies == [Self.fast, timeout, timeout, Self.fast])
        #expect(account.errorRate == Ratio(0.5))
        #expect(account.seconds == 4 && account.failingSeconds == 2)
        #expect(account.availabilityInSeconds == Ratio(0.5))
        #expect(account.latency(quantile: Ratio(0.5)) == Self.fast)
        #expect(account.latency(quantile: Ratio(0.99)) == timeout)
    }

    @Test func latencyCountsFromTheIntendedTime() {
        var history = ClientHistory()
        let number = history.invoke(
            process: 0,
            .get(key: "a"),
            intended: .zero,
            at: Instant.zero + .milliseconds(700)
        )
        history.answer(number, .value(nil), at: Instant.zero + .milliseconds(800))
        let account = ClientAccount(
            history,
            timeout: .seconds(1),
            from: .zero,
            to: Instant.zero + .seconds(1)
        )
        #expect(account.latencies == [.milliseconds(800)])
    }

    @Test func recoveryRunsFromTheFaultToTheNextAnswer() throws {
        let timeout = Interval.milliseconds(500)
        let fast: Interval? = Self.fast
        let answers = [fast, fast, nil, nil, fast, fast, fast, nil, fast, fast]
        let account = ClientAccount(
            Self.probes(answers, timeout: timeout),
            timeout: timeout,
            from: .zero,
            to: Instant.zero + .seconds(10)
        )
        #expect(account.outages.count == 2)
        #expect(account.outages[0].start == Instant.zero + .seconds(2))
        #expect(account.outages[0].end == Instant.zero + .seconds(4) + Self.fast)
        // The first fault breaks the service, the second nothing, the third fires while the request
        // that it breaks is under way.
        let faults = [1500, 5000, 7100].map { Instant.zero + .milliseconds($0) }
        let recoveries = account.recoveries(after: faults)
        #expect(recoveries.map(\.fault) == [faults[0], faults[2]])
        #expect(recoveries[0].interval == .milliseconds(2510))
        #expect(recoveries[1].interval == .milliseconds(910))
        let mean = try #require(ClientAccount.meanTimeToRecovery(recoveries))
        #expect(mean == .milliseconds(1710))
    }

    @Test func aServiceThatNeverComesBackHasNoRecoveryTime() {
        let account = ClientAccount(
            Self.probes([Self.fast, nil, nil], timeout: Self.fast),
            timeout: Self.fast,
            from: .zero,
            to: Instant.zero + .seconds(3)
        )
        let recoveries = account.recoveries(after: [Instant.zero + .milliseconds(500)])
        #expect(recoveries.count == 1 && recoveries[0].interval == nil)
        #expect(ClientAccount.meanTimeToRecovery(recoveries) == nil)
    }

    @Test func nothingSentIsNoAvailability() {
        let account = ClientAccount(
            ClientHistory(),
            timeout: .seconds(1),
            from: .zero,
            to: Instant.zero + .seconds(3)
        )
        #expect(account.availability == nil && account.errorRate == nil)
        #expect(account.latency(quantile: Ratio(0.5)) == nil)
    }
}
