import Determinism
import SimulatedEffects
import SimulationKernel
import Testing
import Units

/// Goal: cores are shared exactly, whoever comes and goes.
/// Method: the model against a slow calculation that keeps each job's remaining work, and against
/// sums done by hand.
@Suite struct SharedProcessorsTests {
    struct Job {
        var arrival: Int64
        var work: Int64
    }

    /// Goal: finishing times are those of processor sharing, to the nanosecond of rounding.
    /// Method: random arrivals on 1 to 5 cores, 300 worlds; every change redistributes the rest.
    @Test func finishingTimesAreThoseOfTheSlowCalculation() throws {
        for seed in 0..<300 as Range<UInt64> {
            var random = SeededRandom(stateFrom: seed)
            let cores = Int(random.below(5)) + 1
            let jobs = (0..<Int(random.below(30) + 1)).map { _ in
                Job(arrival: Int64(random.below(1_000_000)), work: Int64(random.below(400_000) + 1))
            }
            let expected = reference(jobs, cores: cores)
            let executor = VirtualExecutor(seed: seed)
            let processors = SharedProcessors(cores: cores, executor: executor)
            let ends = try executor.run {
                await withTaskGroup(of: (Int, Int64).self) { group in
                    for (number, job) in jobs.enumerated() {
                        group.addTask {
                            let arrival = Instant(nanoseconds: job.arrival)
                            try? await executor.sleep(until: arrival)
                            try? await processors.run(Interval(nanoseconds: job.work))
                            return (number, executor.now.nanoseconds)
                        }
                    }
                    var ends = [Int64](repeating: 0, count: jobs.count)
                    for await (number, end) in group { ends[number] = end }
                    return ends
                }
            }
            for number in jobs.indices {
                // Departures wait for a whole nanosecond and so delay each other a little.
                let difference = Double(ends[number]) - expected[number]
                #expect(
                    difference > -1 && difference < Double(jobs.count) + 1,
                    "seed \(seed), job \(number): \(ends[number]), expected \(expected[number])"
                )
            }
            let work = jobs.reduce(0) { $0 + $1.work }
            #expect(abs(processors.busy.nanoseconds - work) <= Int64(jobs.count * jobs.count))
            #expect(processors.jobCount == 0)
            #expect(executor.nextWake == nil)
        }
    }

    /// Remaining work by job, recalculated at every arrival and departure.
    private func reference(_ jobs: [Job], cores: Int) -> [Double] {
        var rest = jobs.map { Double($0.work) }
        var ends = [Double](repeating: -1, count: jobs.count)
        var now = 0.0
        while ends.contains(-1) {
            let present = jobs.indices.filter { Double(jobs[$0].arrival) <= now && ends[$0] < 0 }
            let later = jobs.map { Double($0.arrival) }.filter { $0 > now }.min() ?? .infinity
            guard !present.isEmpty else {
                now = later
                continue
            }
            let rate = min(1, Double(cores) / Double(present.count))
            let departure = now + present.map { rest[$0] }.min()! / rate
            let next = min(departure, later)
            for job in present {
                rest[job] -= (next - now) * rate
                if rest[job] < 1e-6 { ends[job] = next }
            }
            now = next
        }
        return ends
    }

    /// Goal: a cancelled job leaves at once and the others get its part.
    /// Method: two jobs of 100 ms on one core; one is cancelled after 50 ms, the other ends at 125.
    @Test func cancelledJobsLeave() throws {
        let executor = VirtualExecutor(seed: 1)
        let processors = SharedProcessors(cores: 1, executor: executor)
        let (left, right, error) = try executor.run {
            await withTaskGroup(of: (Instant, String).self) { group in
                group.addTask {
                    try? await processors.run(.milliseconds(100))
                    return (executor.now, "kept")
                }
                group.addTask {
                    await withTaskGroup(of: (Instant, String).self) { inner in
                        inner.addTask {
                            let text = await failure {
                                try await processors.run(.milliseconds(100))
                            }
                            return (executor.now, text ?? "none")
                        }
                        try? await executor.sleep(until: .zero + .milliseconds(50))
                        inner.cancelAll()
                        return await inner.next()!
                    }
                }
                var ends: [(Instant, String)] = []
                for await end in group { ends.append(end) }
                ends.sort { $0.0 < $1.0 }
                return (ends[0].0, ends[1].0, ends[0].1)
            }
        }
        #expect(left == .zero + .milliseconds(50))
        #expect(right == .zero + .milliseconds(125))
        #expect(error.contains("Cancellation"))
        #expect(processors.busy == .milliseconds(125))
    }

    /// Goal: a task that is cancelled already computes nothing, not even nothing.
    /// Method: run in a cancelled group.
    @Test func cancelledTasksDoNotCompute() throws {
        let executor = VirtualExecutor(seed: 2)
        let processors = SharedProcessors(cores: 1, executor: executor)
        let failures = try executor.run {
            await withTaskGroup(of: Bool.self) { group in
                group.cancelAll()
                for work in [0, 5] as [Int64] {
                    group.addTask { (try? await processors.run(.seconds(work))) == nil }
                }
                return await group.reduce(0) { $0 + ($1 ? 1 : 0) }
            }
        }
        #expect(failures == 2)
        #expect(executor.now == .zero && processors.busy == .zero)
    }

    /// Goal: slow cores stretch the work that is left, and a crash ends every job.
    /// Method: 100 ms of work; after 50 ms the cores are four times slower; 200 ms remain. Then drop.
    @Test func slowCoresAndCrashes() throws {
        let executor = VirtualExecutor(seed: 3)
        let processors = SharedProcessors(cores: 2, executor: executor)
        let end = try executor.run {
            await withTaskGroup(of: Void.self) { group in
                group.addTask { try? await processors.run(.milliseconds(100)) }
                try? await executor.sleep(until: .zero + .milliseconds(50))
                processors.slowdown = 4
                await group.waitForAll()
                return executor.now
            }
        }
        #expect(end == .zero + .milliseconds(250))
        processors.slowdown = 1
        let dropped = try executor.run {
            await withTaskGroup(of: Bool.self) { group in
                for _ in 0..<5 {
                    group.addTask { (try? await processors.run(.seconds(5))) == nil }
                }
                try? await executor.sleep(until: .zero + .seconds(1))
                processors.drop()
                return await group.reduce(0) { $0 + ($1 ? 1 : 0) }
            }
        }
        #expect(dropped == 5)
        #expect(executor.now == .zero + .seconds(1))
        #expect(processors.jobCount == 0 && executor.nextWake == nil)
        #expect(processors.busy == .milliseconds(100) + .milliseconds(1500))
    }
}
