import Determinism
import SimulatedEffects
import SimulationKernel
import Testing
import Units

/// Goal: a shared service behaves as a queue with servers does, in good and bad states.
/// Method: against the recursion for first come, first served, and against sums done by hand.
@Suite struct SharedServiceTests {
    private func service(
        _ executor: VirtualExecutor,
        servers: Int = 1,
        queueLimit: Int = 1000,
        time: ServiceTime = .constant(.milliseconds(10)),
        timeout: Interval = .seconds(3600)
    ) -> SharedService {
        SharedService(
            SharedService.Configuration(
                servers: servers,
                queueLimit: queueLimit,
                serviceTime: time,
                timeout: timeout
            ),
            seed: 1,
            entity: EntityID(.experiment, 7),
            executor: executor
        )
    }

    /// Goal: no factor that a scenario can name overflows.
    @Test func slownessIsBounded() throws {
        #expect(Interval.milliseconds(3).slowed(by: 2) == .milliseconds(6))
        #expect(Interval.milliseconds(3).slowed(by: 1e300) == .seconds(86_400))
        #expect(Interval.zero.slowed(by: .infinity) == .zero)
        let executor = VirtualExecutor(seed: 1)
        let service = service(executor, timeout: .seconds(1))
        service.state = .slow(1e300)
        _ = try executor.run {
            await #expect(throws: ServiceError.timedOut) {
                try await service.request(roundTrip: .zero)
            }
        }
    }

    /// Goal: an answer on its way to a client that has given up is none of those that were heard.
    @Test func lateAnswersFindNobody() throws {
        let executor = VirtualExecutor(seed: 1)
        // There after 1 s, served after 1.01 s, back after 2.01 s.
        let service = service(executor, timeout: .milliseconds(1500))
        try executor.run {
            await #expect(throws: ServiceError.timedOut) {
                try await service.request(roundTrip: .seconds(2))
            }
            try? await executor.sleep(until: executor.now.advanced(by: .seconds(5)))
        }
        let figures = service.figures
        #expect(figures.served == 1 && figures.timedOut == 1 && figures.answered == 0)
    }

    /// Goal: every answer comes exactly when the recursion of Kiefer and Wolfowitz says (M/D/c).
    /// Method: Poisson arrivals at loads from 0.5 to 1.3 on 1 to 4 servers, 200 requests each.
    @Test func answersComeWhenTheRecursionSays() throws {
        for seed in 0..<60 as Range<UInt64> {
            var random = SeededRandom(stateFrom: seed)
            let servers = Int(random.below(4)) + 1
            let load = 0.5 + 0.8 * random.unit()
            let work = Interval.milliseconds(10)
            let roundTrip = Interval.milliseconds(4)
            var arrival = Instant.zero
            var arrivals: [Instant] = []
            for _ in 0..<200 {
                let gap = random.exponential(mean: work.seconds / (Double(servers) * load))
                arrival += Interval(seconds: gap) + .nanoseconds(1)
                arrivals.append(arrival)
            }
            var free = [Instant](repeating: .zero, count: servers)
            var waits = Interval.zero
            let expected = arrivals.map { sent -> Instant in
                let there = sent + roundTrip / 2
                let server = free.indices.min { free[$0] < free[$1] }!
                let start = max(there, free[server])
                waits += start - there
                free[server] = start + work
                return start + work + roundTrip / 2
            }
            let executor = VirtualExecutor(seed: seed)
            let service = service(executor, servers: servers)
            let times = arrivals
            let answers = try executor.run {
                await withTaskGroup(of: (Int, Instant).self) { group in
                    for (number, time) in times.enumerated() {
                        group.addTask {
                            try? await executor.sleep(until: time)
                            try? await service.request(roundTrip: roundTrip)
                            return (number, executor.now)
                        }
                    }
                    var answers = [Instant](repeating: .zero, count: times.count)
                    for await (number, time) in group { answers[number] = time }
                    return answers
                }
            }
            #expect(answers == expected, "seed \(seed)")
            #expect(service.figures.totalWait == waits)
            #expect(service.figures.answered == 200)
            #expect(service.figures.busy == work * 200)
            #expect(executor.nextWake == nil)
        }
    }

    /// Goal: what does not fit the queue is refused, after a round trip.
    /// Method: ten requests at once to one server with room for three.
    @Test func fullQueuesRefuse() throws {
        let executor = VirtualExecutor(seed: 1)
        let service = service(executor, queueLimit: 3)
        let refused = Collector<Instant>()
        try executor.run {
            await withTaskGroup(of: Void.self) { group in
                for _ in 0..<10 {
                    group.addTask {
                        do {
                            try await service.request(roundTrip: .milliseconds(2))
                        } catch ServiceError.refused {
                            refused.append(executor.now)
                        } catch {
                            Issue.record(error)
                        }
                    }
                }
            }
        }
        #expect(refused.values == Array(repeating: .zero + .milliseconds(2), count: 6))
        #expect(service.figures.longestQueue == 3)
        #expect(service.figures.refused == 6 && service.figures.answered == 4)
        #expect(executor.now == .zero + .milliseconds(42))
    }

    /// Goal: clients that give up are gone, their requests are not.
    /// Method: three clients of 25 ms patience, 20 ms of work each; then one is cancelled.
    @Test func clientsGiveUp() throws {
        let executor = VirtualExecutor(seed: 1)
        let service = service(
            executor,
            time: .constant(.milliseconds(20)),
            timeout: .milliseconds(25)
        )
        let endings = Collector<String>()
        try executor.run {
            await withTaskGroup(of: Void.self) { group in
                for _ in 0..<3 {
                    group.addTask {
                        endings.append(
                            await failure { try await service.request(roundTrip: .zero) }
                                ?? "served"
                        )
                    }
                }
            }
            #expect(executor.now == .zero + .milliseconds(25))
            // The servers are busy with what nobody waits for until 60 ms.
            try? await executor.sleep(until: .zero + .milliseconds(59))
            #expect(service.figures.served == 2)
            try? await executor.sleep(until: .zero + .milliseconds(61))
            await withTaskGroup(of: Void.self) { group in
                group.addTask {
                    endings.append(
                        await failure { try await service.request(roundTrip: .zero) } ?? "served"
                    )
                }
                try? await executor.sleep(until: .zero + .milliseconds(70))
                group.cancelAll()
            }
            #expect(executor.now == .zero + .milliseconds(70))
            await withTaskGroup(of: Void.self) { group in
                group.cancelAll()
                group.addTask {
                    endings.append(
                        await failure { try await service.request(roundTrip: .zero) } ?? "served"
                    )
                }
            }
            try? await executor.sleep(until: .zero + .seconds(1))
        }
        #expect(endings.values[0] == "served")
        #expect(endings.values[1...2].allSatisfy { $0 == "\(ServiceError.timedOut)" })
        #expect(endings.values[3...4].allSatisfy { $0.contains("Cancellation") })
        #expect(service.figures.served == 4 && service.figures.answered == 1)
        #expect(service.figures.timedOut == 2 && service.figures.sent == 4)
    }

    /// Goal: slow and down mean what they say, and the service comes back.
    /// Method: one request in each state, and one that the service loses while it works on it.
    @Test func statesOfTheService() throws {
        let executor = VirtualExecutor(seed: 1)
        let service = service(executor, timeout: .milliseconds(500))
        let times = Collector<String>()
        @Sendable func ask() async {
            let start = executor.now
            let text = await failure { try await service.request(roundTrip: .milliseconds(2)) }
            times.append("\(executor.now - start) \(text ?? "served")")
        }
        try executor.run {
            await ask()
            service.state = .slow(3)
            await ask()
            service.state = .down(.refuses)
            await ask()
            service.state = .down(.silent)
            await ask()
            service.state = .up
            await ask()
            for silence in SharedService.Silence.allCases {
                await withTaskGroup(of: Void.self) { group in
                    for _ in 0..<2 { group.addTask { await ask() } }
                    try? await executor.sleep(until: executor.now.advanced(by: .milliseconds(5)))
                    service.state = .down(silence)
                }
                service.state = .up
            }
            await ask()
        }
        #expect(
            times.values == [
                "12 ms served", "32 ms served", "2 ms the service is down",
                "500 ms the service did not answer in time", "12 ms served",
                "6 ms the service is down", "6 ms the service is down",
                "500 ms the service did not answer in time",
                "500 ms the service did not answer in time", "12 ms served",
            ]
        )
        #expect(service.figures.lost == 6)
        #expect(executor.nextWake == nil)
    }

    /// Goal: drawn service times have the mean they should, and are equal for equal seeds.
    /// Method: 200,000 draws of each kind, against the closed form within one per cent.
    @Test func serviceTimesHaveTheirMean() {
        let kinds: [ServiceTime] = [
            .constant(.milliseconds(7)), .exponential(mean: .milliseconds(7)),
            .lognormal(median: .milliseconds(7), sigma: 0.6),
        ]
        for kind in kinds {
            var random = SeededRandom(stateFrom: 3)
            var again = SeededRandom(stateFrom: 3)
            var sum = 0.0
            for _ in 0..<200_000 {
                let time = kind.draw(&random)
                #expect(time >= .zero)
                #expect(time == kind.draw(&again))
                sum += time.seconds
            }
            #expect(abs(sum / 200_000 / kind.mean.seconds - 1) < 0.01, "\(kind)")
        }
    }
}
