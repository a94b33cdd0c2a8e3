import Determinism
import Effects
import Initialization
import NodeOperations
import SimulatedEffects
import Testing
import Units

// Goal: workers run every task, at most as many at once as they may, each by one of them, through
// crashes, failing databases and the end of the node. Method: bodies that note when they run, under
// virtual time; crashes of the host at random moments.
@Suite struct WorkerPoolTests {
    /// Notes what bodies do.
    private struct Notes: Sendable {
        var active: Set<Int64> = []
        var most = 0
        var finished: [Int64] = []
        var problems: [String] = []
    }

    private func kind(
        _ notes: Shared<Notes>,
        _ world: OperationsWorld,
        takes: Interval,
        failing: @escaping @Sendable (QueuedTask) -> Bool = { _ in false }
    ) -> TaskKind {
        TaskKind("work") { task in
            notes.change { notes in
                if !notes.active.insert(task.id).inserted {
                    notes.problems.append("task \(task.id) runs twice at once")
                }
                notes.most = max(notes.most, notes.active.count)
            }
            defer { notes.change { _ = $0.active.remove(task.id) } }
            try await world.clock.sleep(for: takes)
            if failing(task) { throw Failure() }
            notes.change { $0.finished.append(task.id) }
        }
    }

    private struct Failure: Error {}

    private func pool(_ queue: TaskQueue, _ kind: TaskKind, _ registry: PrometheusRegistry)
        -> WorkerPool
    {
        WorkerPool(queue: queue, kinds: TaskKinds([kind]), limit: 3, metrics: registry) { _ in }
    }

    @Test func tasksRunUpToTheLimitAndDrainWaitsForThem() throws {
        let world = OperationsWorld()
        let notes = Shared(Notes())
        let registry = PrometheusRegistry()
        let counts = try world.run {
            let queue = try await world.queue()
            let pool = pool(
                queue,
                kind(notes, world, takes: .seconds(2)) { $0.attempt == 1 && $0.id == 2 },
                registry
            )
            async let serving: Void = pool.serve()
            for _ in 0..<8 { try await queue.enqueue(kind: "work") }
            try await world.clock.sleep(for: .milliseconds(9500))
            await pool.drain()
            await serving
            return try await queue.counts()
        }
        let seen = notes.value
        #expect(seen.most == 3)
        #expect(seen.problems.isEmpty && seen.active.isEmpty)
        #expect(seen.finished.sorted() == Array(1...8))
        #expect(counts.done == 8)
        #expect(registry.text.contains(#"tasks_run_total{kind="work",outcome="done"} 8"#))
        #expect(registry.text.contains(#"tasks_run_total{kind="work",outcome="failed"} 1"#))
    }

    @Test func anIdlePoolWakesAtOnceForANewTask() throws {
        let world = OperationsWorld()
        let notes = Shared(Notes())
        let waited = try world.run {
            let queue = try await world.queue()
            let pool = pool(queue, kind(notes, world, takes: .zero), PrometheusRegistry())
            async let serving: Void = pool.serve()
            try await world.clock.sleep(for: .milliseconds(5100))
            let before = world.clock.now
            try await queue.enqueue(kind: "work")
            while notes.value.finished.isEmpty {
                try await world.clock.sleep(for: .milliseconds(1))
            }
            let waited = world.clock.now - before
            await pool.drain()
            await serving
            return waited
        }
        #expect(waited < .milliseconds(50))
    }

    @Test func cancelledWorkersGiveTheirTasksBack() throws {
        let world = OperationsWorld()
        let notes = Shared(Notes())
        try world.run {
            let queue = try await world.queue()
            let pool = pool(queue, kind(notes, world, takes: .seconds(1000)), PrometheusRegistry())
            for _ in 0..<2 { try await queue.enqueue(kind: "work") }
            await withTaskGroup(of: Void.self) { group in
                group.addTask { await pool.serve() }
                group.addTask { try? await world.clock.sleep(for: .seconds(100)) }
                await group.next()
                group.cancelAll()
            }
            let lease = try #require(try await queue.claim(kinds: ["work"]))
            #expect(lease.task.attempt == 1)
        }
        #expect(notes.value.active.isEmpty && notes.value.finished.isEmpty)
    }

    @Test func aTaskWhoseLeaseCannotBeExtendedIsCancelledInTime() throws {
        let world = OperationsWorld()
        let notes = Shared(Notes())
        try world.run {
            let queue = try await world.queue(TaskQueue.Limits(lease: .seconds(9)))
            let pool = pool(queue, kind(notes, world, takes: .seconds(60)), PrometheusRegistry())
            async let serving: Void = pool.serve()
            try await queue.enqueue(kind: "work")
            try await world.clock.sleep(for: .seconds(1))
            world.host.databases.inject(
                DatabaseFault(
                    at: OperationsWorld.database,
                    .full,
                    from: world.clock.now,
                    until: world.clock.now + .seconds(30)
                )
            )
            try await world.clock.sleep(for: .seconds(13))
            #expect(notes.value.active.isEmpty)
            try await world.clock.sleep(for: .seconds(30))
            #expect(notes.value.active == [1])
            try await world.clock.sleep(for: .seconds(60))
            await pool.drain()
            await serving
            #expect(try await queue.counts().done == 1)
        }
        #expect(notes.value.problems.isEmpty)
    }

    @Test(arguments: 1...30) func crashesLoseNoTask(seed: UInt64) throws {
        let world = OperationsWorld(seed: seed)
        let notes = Shared(Notes())
        let limits = TaskQueue.Limits(
            lease: .seconds(3),
            retry: RetryPolicy(attempts: 30, delay: .milliseconds(100), jitter: 0.5)
        )
        try world.run {
            var random = SeededRandom(seed: seed, entity: EntityID(.node, 0), purpose: "crashes")
            let first = try await world.queue(limits)
            for _ in 0..<30 { try await first.enqueue(kind: "work") }
            for life in 2..<8 as Range<UInt32> {
                let process = world.host.startProcess(incarnation: life)
                let crash = Interval.milliseconds(Int64(random.below(6000)))
                let isLast = life == 7
                await withTaskGroup(of: Void.self) { group in
                    group.addTask {
                        _ = await process.run {
                            guard let queue = try? await world.queue(limits, process: process)
                            else { return }
                            let work = kind(notes, world, takes: .milliseconds(700)) {
                                ($0.id + Int64($0.attempt)).isMultiple(of: 4)
                            }
                            let pool = pool(queue, work, PrometheusRegistry())
                            await pool.serve()
                        }
                    }
                    try? await world.clock.sleep(for: isLast ? .seconds(60) : crash)
                    world.host.crash()
                }
                notes.change { notes in
                    if !notes.active.isEmpty { notes.problems.append("a body outlived a crash") }
                }
            }
        }
        let rows = try world.host.databases.rows(
            at: OperationsWorld.database,
            "SELECT state, count(*), max(attempts) FROM task GROUP BY state"
        )
        #expect(notes.value.problems.isEmpty, "seed \(seed): \(notes.value.problems)")
        #expect(
            rows?.count == 1 && rows?.first?.first == .text("done"),
            "seed \(seed): \(rows ?? [])"
        )
        #expect(Set(notes.value.finished) == Set(1...30), "seed \(seed)")
    }
}
