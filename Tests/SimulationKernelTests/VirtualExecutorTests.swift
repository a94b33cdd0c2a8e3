import Determinism
import SimulationKernel
import Testing
import Units

@Suite struct VirtualExecutorTests {
    /// Goal: virtual time is exact and costs no real time; nested sleeps add up.
    /// Method: sleep for a year in three ways.
    @Test func sleepsExactlyAndInstantly() throws {
        let executor = VirtualExecutor(seed: 1)
        let clock = executor.clock
        let start = ContinuousClock.now
        let seen = try executor.run { () -> [Int64] in
            var times: [Int64] = [clock.now.time.nanoseconds]
            try? await clock.sleep(for: .seconds(86_400 * 365))
            times.append(clock.now.time.nanoseconds)
            try? await Task.sleep(for: .nanoseconds(1), clock: clock)
            times.append(clock.now.time.nanoseconds)
            try? await clock.sleep(until: clock.now, tolerance: nil)
            times.append(clock.now.time.nanoseconds)
            try? await clock.sleep(for: Duration(secondsComponent: 0, attosecondsComponent: 1))
            times.append(clock.now.time.nanoseconds)
            return times
        }
        let year: Int64 = 86_400 * 365 * 1_000_000_000
        #expect(seen == [0, year, year + 1, year + 1, year + 2])
        #expect(ContinuousClock.now - start < .seconds(10))
    }

    /// Goal: a cancelled sleep ends at once and its deadline never moves the time.
    /// Method: cancel a sleep of an hour after a second; the run ends at that second.
    @Test func cancelledSleepsDoNotAdvanceTime() throws {
        let executor = VirtualExecutor(seed: 2)
        let clock = executor.clock
        let wasCancelled = try executor.run {
            await withTaskGroup(of: Bool.self) { group in
                group.addTask {
                    do {
                        try await clock.sleep(for: .seconds(3600))
                        return false
                    } catch {
                        return error is CancellationError
                    }
                }
                try? await clock.sleep(for: .seconds(1))
                group.cancelAll()
                return await group.next()!
            }
        }
        #expect(wasCancelled)
        #expect(executor.now == .zero + .seconds(1))
        #expect(executor.nextWake == nil)
    }

    /// Goal: a task that is already cancelled does not sleep at all.
    /// Method: cancel the group before the child first runs.
    @Test func cancelledTasksDoNotSleep() throws {
        let executor = VirtualExecutor(seed: 3)
        let clock = executor.clock
        let failures = try executor.run {
            await withTaskGroup(of: Bool.self) { group in
                group.cancelAll()
                for _ in 0..<5 {
                    group.addTask { (try? await clock.sleep(for: .seconds(5))) == nil }
                }
                var count = 0
                for await failed in group where failed { count += 1 }
                return count
            }
        }
        #expect(failures == 5)
        #expect(executor.now == .zero)
    }

    /// Goal: a time-out wins exactly when the work takes longer, at the exact time.
    /// Method: the usual race of two children, around the boundary.
    @Test(arguments: [(999, true), (1_001, false)])
    func timeoutsAreExact(milliseconds: Int, inTime: Bool) throws {
        let executor = VirtualExecutor(seed: 4)
        let clock = executor.clock
        let finished = try executor.run {
            await withTaskGroup(of: Bool.self) { group in
                group.addTask {
                    (try? await clock.sleep(for: .milliseconds(milliseconds))) != nil
                }
                group.addTask {
                    try? await clock.sleep(for: .seconds(1))
                    return false
                }
                defer { group.cancelAll() }
                return await group.next()!
            }
        }
        #expect(finished == inTime)
        #expect(executor.now == .zero + .milliseconds(Int64(min(milliseconds, 1000))))
    }

    /// Goal: code that can never end is told, not waited for.
    /// Method: a continuation nobody resumes; a loop that always yields.
    @Test func hopelessRunsEnd() {
        let stalled = VirtualExecutor(seed: 5)
        let clock = stalled.clock
        #expect(throws: VirtualExecutorError.stalled(at: .zero + .seconds(2))) {
            try stalled.run {
                try? await clock.sleep(for: .seconds(2))
                // An unsafe continuation, because a checked one would complain about this misuse.
                await withUnsafeContinuation { (_: UnsafeContinuation<Void, Never>) in }
            }
        }
        let endless = VirtualExecutor(seed: 6)
        #expect(throws: VirtualExecutorError.jobLimitReached(500, at: .zero)) {
            try endless.run(jobLimit: 500) {
                while !Task.isCancelled { await Task.yield() }
            }
        }
    }

    /// Goal: a world with its own events can drive the executor step by step.
    /// Method: advance in steps that do not meet the deadlines.
    @Test func worldsDriveIt() {
        let executor = VirtualExecutor(seed: 7, start: .zero + .seconds(10))
        let clock = executor.clock
        let record = Recorder()
        executor.start {
            for _ in 0..<3 {
                try? await clock.sleep(for: .seconds(1))
                record.append(clock.now.time)
            }
        }
        #expect(executor.hasReadyJobs)
        #expect(executor.drain(limit: 100) > 0)
        #expect(executor.nextWake == .zero + .seconds(11))
        executor.advance(to: .zero + .milliseconds(10_500))
        #expect(!executor.hasReadyJobs)
        for step in 0..<4 as Range<Int64> {
            executor.advance(to: .zero + .seconds(12 + step))
            executor.drain(limit: 100)
        }
        #expect(record.times.map(\.seconds) == [12, 13, 14])
    }
}

/// Collects times on the executor's one thread.
final class Recorder: @unchecked Sendable {
    private(set) var times: [Units.Instant] = []

    func append(_ time: Units.Instant) { times.append(time) }
}
