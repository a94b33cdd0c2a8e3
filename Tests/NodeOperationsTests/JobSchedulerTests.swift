import Determinism
import Effects
import Initialization
import NodeOperations
import SimulatedEffects
import Testing
import Units

// Goal: jobs run when their schedules say so, never twice at once, once after any number of missed
// times, and their history is bounded. Method: a scheduler with workers under virtual time, whose
// bodies note when they run; the process ends, crashes and comes back.
@Suite struct JobSchedulerTests {
    /// Starts and ends of runs, in seconds since the world's zero.
    private struct Notes: Sendable {
        var starts: [Interval] = []
        var active = 0
        var overlaps = 0
    }

    private struct Failure: Error {}

    /// One life of a node with one job, for `lasting`.
    private func live(
        _ world: OperationsWorld,
        _ notes: Shared<Notes>,
        _ schedule: String,
        lasting: Interval,
        takes: Interval = .seconds(1),
        jitter: Interval = .zero,
        failing: Bool = false
    ) async throws -> [JobScheduler.Run] {
        let queue = try await world.queue()
        let job = JobScheduler.Job(name: "job", schedule: try CronExpression(schedule)) {
            notes.change { notes in
                notes.starts.append(world.clock.now - .zero)
                notes.active += 1
                if notes.active > 1 { notes.overlaps += 1 }
            }
            defer { notes.change { $0.active -= 1 } }
            try await world.clock.sleep(for: takes)
            if failing { throw Failure() }
        }
        let scheduler = JobScheduler(
            [job],
            queue: queue,
            jitter: jitter,
            random: SeededRandom(seed: 1, entity: EntityID(.node, 1), purpose: "jitter"),
            report: { _ in }
        )
        let kinds = TaskKinds()
        scheduler.register(in: kinds)
        try await scheduler.plan()
        let pool = WorkerPool(
            queue: queue,
            kinds: kinds,
            limit: 4,
            metrics: PrometheusRegistry(),
            report: { _ in }
        )
        await withTaskGroup(of: Void.self) { group in
            group.addTask { await scheduler.serve() }
            group.addTask { await pool.serve() }
            try? await world.clock.sleep(for: lasting)
            group.cancelAll()
        }
        return try await scheduler.history(of: "job")
    }

    /// The world's zero is a midnight.
    private func minutes(_ intervals: [Interval]) -> [Int64] {
        intervals.map { ($0.nanoseconds + 30_000_000_000) / 60_000_000_000 }
    }

    @Test func runsComeByTheSchedule() throws {
        let world = OperationsWorld()
        let notes = Shared(Notes())
        let history = try world.run {
            try await live(world, notes, "*/10 * * * *", lasting: .seconds(3700))
        }
        #expect(minutes(notes.value.starts) == [10, 20, 30, 40, 50, 60])
        #expect(history.count == 6 && history.allSatisfy { $0.failure == nil })
        #expect(history[0].started > history[5].started)
        for (start, minute) in zip(notes.value.starts, [10, 20, 30, 40, 50, 60] as [Int64]) {
            #expect(start >= .seconds(minute * 60) && start < .seconds(minute * 60 + 1))
        }
    }

    @Test func jitterDelaysWithinItsBound() throws {
        let world = OperationsWorld()
        let notes = Shared(Notes())
        _ = try world.run {
            try await live(
                world,
                notes,
                "* * * * *",
                lasting: .seconds(3630),
                jitter: .seconds(20)
            )
        }
        let offsets = notes.value.starts.map { $0.nanoseconds % 60_000_000_000 }
        #expect(offsets.count == 60)
        #expect(offsets.allSatisfy { $0 < 22_000_000_000 })
        #expect(Set(offsets.map { $0 / 4_000_000_000 }).count >= 5)
    }

    @Test func aJobDoesNotOverlapItself() throws {
        let world = OperationsWorld()
        let notes = Shared(Notes())
        _ = try world.run {
            try await live(
                world,
                notes,
                "* * * * *",
                lasting: .seconds(1000),
                takes: .seconds(150)
            )
        }
        #expect(notes.value.overlaps == 0)
        #expect((4...7).contains(notes.value.starts.count), "\(notes.value.starts)")
    }

    @Test func missedTimesLeadToOneRun() throws {
        let world = OperationsWorld()
        let notes = Shared(Notes())
        try world.run {
            _ = try await live(world, notes, "*/10 * * * *", lasting: .seconds(1210))
            try await world.clock.sleep(for: .seconds(7200))
            _ = try await live(world, notes, "*/10 * * * *", lasting: .seconds(500))
        }
        #expect(minutes(notes.value.starts) == [10, 20, 140])
    }

    @Test func aJobOfAWrongFutureDoesNotBlockTheSchedule() throws {
        let world = OperationsWorld()
        let notes = Shared(Notes())
        try world.run {
            // A run is put into the queue by a clock that is a year fast; nobody is left to take it.
            world.host.wallClockError = .seconds(365 * 86_400)
            let queue = try await world.queue()
            try await queue.enqueue(kind: "job.job", key: "job.job")
            world.host.wallClockError = .zero
            _ = try await live(world, notes, "*/10 * * * *", lasting: .seconds(1210))
        }
        #expect(minutes(notes.value.starts) == [0, 10, 20])
    }

    @Test func failedRunsAreTriedAgainAndRemembered() throws {
        let world = OperationsWorld()
        let notes = Shared(Notes())
        let history = try world.run {
            try await live(
                world,
                notes,
                "0 * * * *",
                lasting: .seconds(3600 + 1800),
                failing: true
            )
        }
        #expect(notes.value.starts.count == 5)
        #expect(history.count == 5 && history.allSatisfy { $0.failure == "Failure()" })
    }

    @Test func historyIsBounded() throws {
        let world = OperationsWorld()
        let history = try world.run {
            try await live(world, Shared(Notes()), "* * * * *", lasting: .seconds(55 * 60))
        }
        #expect(history.count == JobScheduler.historyLimit)
    }

    @Test(arguments: 1...6) func crashesNeitherLoseNorDoubleRuns(seed: UInt64) throws {
        let world = OperationsWorld(seed: seed)
        let notes = Shared(Notes())
        try world.run {
            var random = SeededRandom(seed: seed, entity: EntityID(.node, 0), purpose: "crashes")
            while world.clock.now < .zero + .seconds(2 * 3600) {
                let time = Interval.milliseconds(Int64(random.below(900_000)))
                await withTaskGroup(of: Void.self) { group in
                    group.addTask {
                        let process = world.host.startProcess(incarnation: 1)
                        _ = await process.run {
                            _ = try? await live(
                                world,
                                notes,
                                "*/10 * * * *",
                                lasting: .seconds(10_000)
                            )
                        }
                    }
                    try? await world.clock.sleep(for: time)
                    world.host.crash()
                }
                notes.change { $0.active = 0 }
            }
        }
        #expect(notes.value.overlaps == 0, "seed \(seed)")
        let planned = try world.host.databases.rows(
            at: OperationsWorld.database,
            "SELECT count(*) FROM task WHERE state = 'done'"
        )
        // Each of the twelve times of two hours or more leads to one task; a time right at a
        // restart may be joined with the next.
        let done = planned?.first?.first?.integer ?? 0
        #expect((9...16).contains(done), "seed \(seed): \(done)")
        #expect(Set(minutes(notes.value.starts).map { $0 / 10 }).count >= 9, "seed \(seed)")
    }
}
