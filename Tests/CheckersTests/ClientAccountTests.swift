import Checkers
import Determinism
import Measurements
import Testing
import Units

// Goal: latency, errors, outages and recovery follow from what clients asked for and heard, in whatever
// order their outcomes become known, and in memory that does not grow.
// Method: hand-made outcomes whose figures can be counted on fingers; random ones that are held against
// a count over the sorted list of all.
@Suite struct ClientAccountTests {
    private static let fast = Interval.milliseconds(10)

    private static func time(_ milliseconds: Int64) -> Instant {
        Instant.zero + .milliseconds(milliseconds)
    }

    /// One probe a second; `nil` when it was given up, otherwise how long the answer took.
    private static func account(_ answers: [Interval?], timeout: Interval) -> ClientAccount {
        let length = Int64(answers.count)
        var account = ClientAccount(timeout: timeout, from: .zero, to: .zero + .seconds(length))
        var outcomes = answers.enumerated().map { probe, answer in
            let due = Instant.zero + .seconds(Int64(probe))
            return (known: due + (answer ?? timeout), due: due, isAnswer: answer != nil)
        }
        outcomes.sort { ($0.known, $0.due) < ($1.known, $1.due) }
        for outcome in outcomes {
            if outcome.isAnswer {
                account.answered(due: outcome.due, at: outcome.known)
            } else {
                account.failed(due: outcome.due, at: outcome.known)
            }
        }
        account.finish(at: .zero + .seconds(length) + timeout)
        return account
    }

    @Test func timeoutsCountAsErrorsAtTheTimeout() throws {
        let timeout = Interval.milliseconds(1500)
        // The third is answered after the time-out, so the client has given up on it.
        let account = Self.account([Self.fast, nil, .seconds(2), Self.fast], timeout: timeout)
        #expect(account.sent == 4 && account.served == 2 && account.errors == 2)
        #expect(account.latencies.count == 4 && account.latencies.sum == 3_020)
        #expect(account.errorRate == Ratio(0.5))
        #expect(account.seconds == 4 && account.failingSeconds == 2)
        #expect(account.availabilityInSeconds == Ratio(0.5))
        #expect(account.outageCount == 1)
        #expect(account.downtime == .milliseconds(2010))
        #expect(account.longestOutage == .milliseconds(2010))
    }

    @Test func latencyCountsFromWhenARequestWasDue() {
        var account = ClientAccount(timeout: .seconds(1), from: .zero, to: Self.time(1000))
        account.answered(due: .zero, at: Self.time(800))
        // By its own clock, a client was early.
        account.answered(due: Self.time(900), at: Self.time(850))
        #expect(account.latencies.sum == 800 && account.latencies.minimum == 0)
    }

    @Test func theWarmUpIsNotCounted() {
        var account = ClientAccount(timeout: Self.fast, from: Self.time(1000), to: Self.time(3000))
        for second in Int64(0)..<4 {
            let due = Instant.zero + .seconds(second)
            if second == 2 {
                account.answered(due: due, at: due + Self.fast)
            } else {
                account.failed(due: due, at: due + Self.fast)
            }
        }
        account.finish(at: Self.time(4000))
        #expect(account.sent == 2 && account.served == 1)
        #expect(account.outages.map(\.start) == [.zero, Self.time(3000)])
        // The first reaches into the window, the second begins behind it.
        #expect(account.outageCount == 1)
        #expect(account.downtime == .milliseconds(1010))
    }

    /// One slow failure among quick answers: when it is known, later requests were long answered.
    @Test func outcomesAreCountedInTheOrderInWhichRequestsWereDue() {
        var account = ClientAccount(timeout: .seconds(1), from: .zero, to: Self.time(5000))
        for due in stride(from: Int64(0), to: 3000, by: 100) where due != 1000 {
            account.answered(due: Self.time(due), at: Self.time(due + 10))
            if due == 1900 { account.failed(due: Self.time(1000), at: Self.time(2000)) }
        }
        account.finish(at: Self.time(5000))
        #expect(account.outages.count == 1)
        #expect(account.outages[0].start == Self.time(1000))
        #expect(account.outages[0].end == Self.time(1110))
        #expect(account.outages[0].requests == 1)
    }

    @Test(arguments: UInt64(1)...20)
    func theOrderOfOutcomesChangesNothing(_ seed: UInt64) {
        var random = SeededRandom(
            seed: seed,
            entity: EntityID(.experiment, 0),
            purpose: "outcomes"
        )
        let timeout = Interval.milliseconds(500)
        var outcomes: [(known: Instant, due: Instant, answered: Instant?)] = []
        for place in Int64(0)..<2_000 {
            let due = Self.time(place * 7)
            let delay = Interval.milliseconds(Int64(random.next() % 900))
            let isServed = (place / 50) % 3 != 0 && random.next() % 8 != 0 && delay <= timeout
            outcomes.append((due + delay, due, isServed ? due + delay : nil))
        }
        var account = ClientAccount(timeout: timeout, from: .zero, to: .zero + .seconds(14))
        for outcome in outcomes.sorted(by: { ($0.known, $0.due) < ($1.known, $1.due) }) {
            if outcome.answered != nil {
                account.answered(due: outcome.due, at: outcome.known)
            } else {
                account.failed(due: outcome.due, at: outcome.known)
            }
        }
        account.finish(at: .zero + .seconds(15))
        var expected: [[Int64]] = []
        var open: (start: Instant, requests: Int64)?
        for outcome in outcomes {
            guard let answered = outcome.answered else {
                open = (open?.start ?? outcome.due, (open?.requests ?? 0) + 1)
                continue
            }
            if let open {
                expected.append([open.start.nanoseconds, answered.nanoseconds, open.requests])
            }
            open = nil
        }
        if let open { expected.append([open.start.nanoseconds, -1, open.requests]) }
        let outages = account.outages.map {
            [$0.start.nanoseconds, $0.end?.nanoseconds ?? -1, Int64($0.requests)]
        }
        #expect(outages == expected)
        #expect(account.sent == 2_000)
        #expect(account.served == UInt64(outcomes.count { $0.answered != nil }))
    }

    @Test func memoryIsBounded() {
        var account = ClientAccount(timeout: .seconds(1), from: .zero, to: .distantFuture)
        let outages = UInt64(ClientAccount.outageLimit) + 1_000
        for number in 0..<outages {
            let due = Instant.zero + .seconds(Int64(number) * 2)
            account.failed(due: due, at: due + .seconds(1))
            account.answered(due: due + .seconds(1), at: due + .seconds(1) + Self.fast)
        }
        account.finish(at: .distantFuture)
        #expect(account.outages.count == ClientAccount.outageLimit)
        #expect(account.outageCount == outages)
        #expect(account.downtime == .milliseconds(1010) * Int64(outages))
    }

    @Test func recoveryRunsFromTheFaultToTheNextAnswer() throws {
        let fast: Interval? = Self.fast
        let answers = [fast, fast, nil, nil, fast, fast, fast, nil, fast, fast]
        let account = Self.account(answers, timeout: .milliseconds(500))
        #expect(account.outages.count == 2)
        #expect(account.outages[0].start == Self.time(2000))
        #expect(account.outages[0].end == Self.time(4010))
        // The first fault breaks the service, the second nothing, the third fires while the request
        // that it breaks is under way.
        let faults = [1500, 5000, 7100].map { Self.time($0) }
        let recoveries = account.recoveries(after: faults, within: .seconds(1))
        #expect(recoveries.unexplained == 0)
        #expect(recoveries.known.map(\.change) == [faults[0], faults[2]])
        #expect(recoveries.known[0].interval == .milliseconds(2510))
        #expect(recoveries.known[1].interval == .milliseconds(910))
        let mean = try #require(ClientAccount.meanTimeToRecovery(recoveries.known))
        #expect(mean == .milliseconds(1710))
    }

    /// What is repaired before the first request is given up has still broken the service.
    @Test func aFaultThatIsSoonRepairedIsTheCause() {
        let fast: Interval? = Self.fast
        let account = Self.account([fast, fast, nil, fast, fast], timeout: .milliseconds(900))
        // The first fault is one that the service had got over; the second strikes while a request is
        // under way.
        let changes = [500, 2010, 2200].map { Self.time($0) }
        let recoveries = account.recoveries(after: changes, within: .seconds(5))
        #expect(recoveries.known.map(\.change) == [Self.time(2010)])
        #expect(recoveries.known.map(\.interval) == [.milliseconds(1000)])
        // Without it, what came long before is all there is.
        let late = account.recoveries(after: [Self.time(500)], within: .seconds(5))
        #expect(late.known.map(\.interval) == [.milliseconds(2510)])
        #expect(account.recoveries(after: [Self.time(500)], within: .seconds(1)).unexplained == 1)
    }

    @Test func aServiceThatComesAndGoesHasRecoveredAtTheLast() {
        let fast: Interval? = Self.fast
        let answers = [fast, nil, fast, nil, fast, fast, fast, fast, fast, nil, fast]
        let account = Self.account(answers, timeout: .milliseconds(500))
        let recoveries = account.recoveries(after: [Self.time(900)], within: .seconds(2))
        // The last outage comes long after the service had got over the fault.
        #expect(recoveries.known.map(\.interval) == [.milliseconds(3110)])
        #expect(recoveries.unexplained == 1)
    }

    @Test func aServiceThatNeverComesBackHasNoRecoveryTime() {
        let account = Self.account([Self.fast, nil, nil], timeout: Self.fast)
        let recoveries = account.recoveries(after: [Self.time(500)], within: .seconds(5)).known
        #expect(recoveries.count == 1 && recoveries[0].interval == nil)
        #expect(ClientAccount.meanTimeToRecovery(recoveries) == nil)
    }

    @Test func nothingSentIsNoAvailability() {
        var account = ClientAccount(timeout: .seconds(1), from: .zero, to: Self.time(3000))
        account.finish(at: Self.time(3000))
        #expect(account.availability == nil && account.errorRate == nil)
        #expect(account.latencies.count == 0 && account.outages.isEmpty)
    }
}
