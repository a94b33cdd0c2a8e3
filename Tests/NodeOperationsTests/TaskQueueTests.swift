import Determinism
import Effects
import Initialization
import NodeOperations
import SimulatedEffects
import Testing
import Units

// Goal: no task is lost, none has two holders, attempts are bounded, and every answer can be asked
// for again. Method: each operation alone, then random operations of many holders against a model,
// with crashes of the host between and inside transactions.
@Suite struct TaskQueueTests {
    private let world = OperationsWorld()

    @Test func tasksAreClaimedInTheOrderInWhichTheyAreDue() throws {
        let order = try world.run { [world] in
            let queue = try await world.queue()
            let now = world.clock.wallTime
            try await queue.enqueue(kind: "late", due: now + .seconds(10))
            try await queue.enqueue(kind: "first", payload: [1, 2])
            try await queue.enqueue(kind: "second")
            try await queue.enqueue(kind: "other")
            var kinds: [String] = []
            let wanted = ["late", "first", "second"]
            while let lease = try await queue.claim(kinds: wanted) {
                kinds.append("\(lease.task.kind) \(lease.task.payload) \(lease.task.attempt)")
            }
            try await world.clock.sleep(for: .seconds(11))
            let late = try await queue.claim(kinds: wanted)
            return kinds + [late?.task.kind ?? "nothing"]
        }
        #expect(order == ["first [1, 2] 1", "second [] 1", "late"])
    }

    @Test func whatDoesNotFitIsRefused() throws {
        try world.run { [world] in
            let queue = try await world.queue(TaskQueue.Limits(capacity: 2, payloadBytes: 4))
            await #expect(throws: TaskQueueError.payloadTooLarge(bytes: 5, limit: 4)) {
                try await queue.enqueue(kind: "a", payload: [0, 0, 0, 0, 0])
            }
            await #expect(throws: TaskQueueError.badName("")) { try await queue.enqueue(kind: "") }
            let long = String(repeating: "k", count: 201)
            await #expect(throws: TaskQueueError.badName(long)) {
                try await queue.enqueue(kind: "a", key: long)
            }
            try await queue.enqueue(kind: "a")
            try await queue.enqueue(kind: "a")
            await #expect(throws: TaskQueueError.full(capacity: 2)) {
                try await queue.enqueue(kind: "a")
            }
            // A running task still takes its place, a finished one does not.
            let lease = try #require(try await queue.claim(kinds: ["a"]))
            await #expect(throws: TaskQueueError.full(capacity: 2)) {
                try await queue.enqueue(kind: "a")
            }
            try await queue.complete(lease)
            try await queue.enqueue(kind: "a")
        }
    }

    @Test func aKeyKeepsATaskSingle() throws {
        try world.run { [world] in
            let queue = try await world.queue()
            let first = try await queue.enqueue(kind: "a", key: "k")
            #expect(try await queue.enqueue(kind: "a", key: "k") == first)
            let lease = try #require(try await queue.claim(kinds: ["a"]))
            #expect(try await queue.enqueue(kind: "a", key: "k") == first)
            try await queue.complete(lease)
            #expect(try await queue.enqueue(kind: "a", key: "k") != first)
        }
    }

    @Test func answersCanBeAskedForAgain() throws {
        try world.run { [world] in
            let queue = try await world.queue()
            let id = try await queue.enqueue(kind: "a")
            let first = try #require(try await queue.claim(kinds: ["a"]))
            let verdict = try await queue.fail(first, reason: "no")
            #expect(try await queue.fail(first, reason: "no") == verdict)
            await #expect(throws: TaskQueueError.leaseLost(task: id)) {
                try await queue.complete(first)
            }
            try await world.clock.sleep(for: .seconds(2))
            let second = try #require(try await queue.claim(kinds: ["a"]))
            #expect(second.task.attempt == 2 && second.token != first.token)
            await #expect(throws: TaskQueueError.leaseLost(task: id)) {
                try await queue.fail(first, reason: "no")
            }
            try await queue.complete(second)
            try await queue.complete(second)
            await #expect(throws: TaskQueueError.leaseLost(task: id)) {
                _ = try await queue.extend(second)
            }
        }
    }

    @Test func attemptsEndAndDelaysGrow() throws {
        let delays = try world.run { [world] in
            let retry = RetryPolicy(attempts: 4, delay: .seconds(1), maximumDelay: .seconds(3))
            let queue = try await world.queue(TaskQueue.Limits(retry: retry))
            try await queue.enqueue(kind: "a")
            let clock = world.clock
            var delays: [Interval] = []
            for _ in 0..<10 {
                guard let lease = try await queue.claim(kinds: ["a"]) else { break }
                let before = clock.wallTime
                guard case .retried(let due) = try await queue.fail(lease, reason: "no") else {
                    break
                }
                delays.append(due - before)
                try await clock.sleep(for: due - clock.wallTime)
            }
            #expect(try await queue.counts().dead == 1)
            return delays
        }
        #expect(delays == [.seconds(1), .seconds(2), .seconds(3)])
    }

    @Test func aLeaseThatRunsOutIsGivenToAnother() throws {
        try world.run { [world] in
            let queue = try await world.queue(TaskQueue.Limits(lease: .seconds(10)))
            let id = try await queue.enqueue(kind: "a")
            let first = try #require(try await queue.claim(kinds: ["a"]))
            try await world.clock.sleep(for: .seconds(8))
            let extended = try await queue.extend(first)
            try await world.clock.sleep(for: .seconds(8))
            #expect(try await queue.claim(kinds: ["a"]) == nil)
            try await world.clock.sleep(for: .seconds(3))
            let second = try #require(try await queue.claim(kinds: ["a"]))
            #expect(second.task.id == id && second.task.attempt == 2)
            await #expect(throws: TaskQueueError.leaseLost(task: id)) {
                try await queue.complete(extended)
            }
        }
    }

    @Test func aClockThatIsSetBackHoldsNoTaskForever() throws {
        try world.run { [world] in
            let queue = try await world.queue(TaskQueue.Limits(lease: .seconds(10)))
            try await queue.enqueue(kind: "a")
            _ = try #require(try await queue.claim(kinds: ["a"]))
            world.host.wallClockError = .seconds(-3600)
            // Waiting tasks come due an hour late at worst; a held one is free at once.
            world.host.wallClockError = .seconds(-11)
            _ = try await queue.claim(kinds: ["b"])
            #expect(try await queue.counts().waiting == 1)
        }
    }

    @Test(arguments: [false, true]) func tasksOfAWrongFutureComeBackIntoReach(
        restarts: Bool
    ) throws {
        try world.run { [world] in
            let retry = RetryPolicy(attempts: 3, delay: .seconds(10))
            // The clock was a year fast when the tasks were added, or failed.
            let year = Interval.seconds(365 * 86_400)
            world.host.wallClockError = year
            var queue = try await world.queue(TaskQueue.Limits(retry: retry))
            try await queue.enqueue(kind: "now", key: "now")
            let soon = world.clock.wallTime + year + .seconds(100)
            try await queue.enqueue(kind: "soon", due: soon)
            try await queue.enqueue(kind: "retried")
            let lease = try #require(try await queue.claim(kinds: ["retried"]))
            _ = try await queue.fail(lease, reason: "no")
            world.host.wallClockError = .zero
            if restarts {
                queue = try await world.queue(
                    TaskQueue.Limits(retry: retry),
                    process: world.host.startProcess(incarnation: 2)
                )
            }
            // One that is meant for the future stays there.
            let later = world.clock.wallTime + .seconds(86_400)
            try await queue.enqueue(kind: "later", due: later)
            var kinds: [String] = []
            let all = ["now", "soon", "retried", "later"]
            for _ in 0..<3 {
                while let lease = try await queue.claim(kinds: all) {
                    kinds.append(lease.task.kind)
                    try await queue.complete(lease)
                }
                try await world.clock.sleep(for: .seconds(60))
            }
            #expect(Set(kinds.prefix(2)) == ["now", "retried"] && kinds.last == "soon")
            #expect(kinds.count == 3)
            #expect(try await queue.counts().waiting == 1)
        }
    }

    @Test func damagedTablesAreAnErrorAndNoTrap() throws {
        try world.run { [world] in
            let process = world.host.startProcess(incarnation: 1)
            let effects = process.effects
            try await effects.files.createFolder("/data", permissions: 0o700)
            let database = try await effects.databases.open(
                OperationsWorld.database,
                busyTimeout: .seconds(1)
            )
            // As the real table, without anything that keeps nonsense out.
            try await database.run(
                """
                CREATE TABLE task (id INTEGER PRIMARY KEY, kind, key, state, attempts, created, due,
                    token, expires, finished, failure, payload)
                """
            )
            try await database.run(
                "CREATE TABLE job_run (id INTEGER PRIMARY KEY, job, started, ended, failure)"
            )
            try await database.run(
                """
                INSERT INTO task (kind, state, attempts, created, due, payload)
                VALUES ('a', 'waiting', 'many', 0, 0, 'text'), ('a', 'lost', 0, 0, 0, NULL)
                """
            )
            try await database.run("INSERT INTO job_run (job, started) VALUES ('j', 'noon')")
            let queue = TaskQueue(
                database: database,
                limits: TaskQueue.Limits(),
                effects: effects,
                random: SeededRandom(seed: 1, entity: EntityID(.node, 1), purpose: "queue")
            )
            let scheduler = JobScheduler(
                [],
                queue: queue,
                jitter: .zero,
                random: SeededRandom(seed: 1, entity: EntityID(.node, 1), purpose: "jitter"),
                report: { _ in }
            )
            func damage(_ body: () async throws -> Void) async throws {
                let error = try await #require(throws: TaskQueueError.self) { try await body() }
                guard case .damaged = error else {
                    Issue.record("\(error)")
                    return
                }
            }
            try await damage { _ = try await queue.counts() }
            try await damage { _ = try await queue.claim(kinds: ["a"]) }
            try await damage { _ = try await scheduler.history(of: "j") }
        }
    }

    @Test func finishedTasksArePruned() throws {
        try world.run { [world] in
            let queue = try await world.queue(TaskQueue.Limits(finished: 3))
            let clock = world.clock
            for _ in 0..<6 {
                try await queue.enqueue(kind: "a")
                let lease = try #require(try await queue.claim(kinds: ["a"]))
                try await queue.complete(lease)
            }
            try await queue.enqueue(kind: "a")
            // Beyond the number that is kept, in batches.
            #expect(
                try await queue.prune(endedBefore: clock.wallTime + .seconds(-60), batch: 2) == 2
            )
            #expect(try await queue.prune(endedBefore: clock.wallTime + .seconds(-60)) == 1)
            #expect(try await queue.counts().done == 3)
            // By age.
            #expect(try await queue.prune(endedBefore: clock.wallTime + .seconds(1)) == 3)
            let counts = try await queue.counts()
            #expect(counts.done == 0 && counts.waiting == 1)
        }
    }

    @Test(arguments: 1...40) func randomOperationsKeepThePromises(seed: UInt64) throws {
        let world = OperationsWorld(seed: seed)
        let model = QueueModel()
        try world.run {
            var random = SeededRandom(
                seed: seed,
                entity: EntityID(.node, 0),
                purpose: "queue operations"
            )
            var queue = try await world.queue(QueueModel.limits)
            for _ in 0..<300 {
                if random.below(40) == 0 {
                    world.host.crash()
                    queue = try await world.queue(QueueModel.limits)
                    model.restart()
                }
                let clock = world.clock
                if random.below(4) == 0 {
                    try await clock.sleep(for: .milliseconds(Int64(random.below(4000))))
                }
                try await model.operate(queue, &random, world)
            }
            try await model.finish(queue, world)
        }
        #expect(model.problems.isEmpty, "seed \(seed): \(model.problems)")
        #expect(model.unfinished.isEmpty, "seed \(seed): lost \(model.unfinished)")
    }
}

/// What the queue must do, kept in plain tables.
private final class QueueModel: Sendable {
    static let limits = TaskQueue.Limits(
        capacity: 20,
        lease: .seconds(3),
        retry: RetryPolicy(attempts: 3, delay: .seconds(1), jitter: 0.5)
    )

    private struct Tables {
        var unfinished: Set<Int64> = []
        var leases: [TaskLease] = []
        var holder: [Int64: TaskLease] = [:]
        var attempts: [Int64: Int] = [:]
        var problems: [String] = []
    }

    private let tables = Shared(Tables())

    var problems: [String] { tables.value.problems }
    var unfinished: [Int64] { tables.value.unfinished.sorted() }

    /// Nobody holds anything after a crash, though old holders may come back and ask.
    func restart() { tables.change { $0.holder = [:] } }

    func operate(
        _ queue: TaskQueue,
        _ random: inout SeededRandom,
        _ world: OperationsWorld
    ) async throws {
        switch random.below(10) {
        case 0...2:
            do {
                let id = try await queue.enqueue(kind: "a")
                tables.change { _ = $0.unfinished.insert(id) }
            } catch TaskQueueError.full {
                tables.change {
                    if $0.unfinished.count < QueueModel.limits.capacity {
                        $0.problems.append("full with \($0.unfinished.count)")
                    }
                }
            }
        case 3...5:
            try await claim(queue, world)
        default:
            let leases = tables.value.leases
            guard !leases.isEmpty else { return }
            let lease = leases[Int(random.below(UInt64(leases.count)))]
            await end(lease, queue, choice: random.below(8))
        }
    }

    private func claim(_ queue: TaskQueue, _ world: OperationsWorld) async throws {
        let now = world.clock.wallTime
        guard let lease = try await queue.claim(kinds: ["a"]) else { return }
        tables.change { tables in
            let id = lease.task.id
            if let held = tables.holder[id], held.expires > now {
                tables.problems.append("task \(id) has two holders")
            }
            if !tables.unfinished.contains(id) {
                tables.problems.append("task \(id) had ended, or never was")
            }
            tables.attempts[id, default: 0] += 1
            if lease.task.attempt > QueueModel.limits.retry.attempts {
                tables.problems.append("attempt \(lease.task.attempt) of task \(id)")
            }
            tables.holder[id] = lease
            tables.leases.append(lease)
            // Tasks that died when their lease ran out have no say of their own.
            if tables.leases.count > 60 { tables.leases.removeFirst() }
        }
    }

    private func end(_ lease: TaskLease, _ queue: TaskQueue, choice: UInt64) async {
        do {
            switch choice {
            case 0...1:
                let extended = try await queue.extend(lease)
                tables.change { tables in
                    if tables.holder[lease.task.id]?.token == lease.token {
                        tables.holder[lease.task.id] = extended
                    } else {
                        tables.problems.append("an old lease of \(lease.task.id) was extended")
                    }
                }
            case 2...4:
                try await queue.complete(lease)
                settle(lease, isOver: true)
            case 5...6:
                let verdict = try await queue.fail(lease, reason: "no")
                settle(lease, isOver: verdict == .dead)
            default:
                try await queue.release(lease)
                settle(lease, isOver: false)
            }
        } catch {
            guard case TaskQueueError.leaseLost = error else {
                tables.change { $0.problems.append("\(error)") }
                return
            }
        }
    }

    private func settle(_ lease: TaskLease, isOver: Bool) {
        tables.change { tables in
            if let held = tables.holder[lease.task.id], held.token != lease.token {
                tables.problems.append("a stranger ended task \(lease.task.id)")
            }
            tables.holder[lease.task.id] = nil
            if isOver { tables.unfinished.remove(lease.task.id) }
        }
    }

    /// Works everything off; what is neither done nor dead in the end was lost.
    func finish(_ queue: TaskQueue, _ world: OperationsWorld) async throws {
        for _ in 0..<2000 {
            let counts = try await queue.counts()
            if counts.waiting + counts.running == 0 { break }
            if let lease = try await queue.claim(kinds: ["a"]) {
                try await queue.complete(lease)
            } else {
                try await world.clock.sleep(for: .milliseconds(500))
            }
        }
        let rows = try world.host.databases.rows(
            at: OperationsWorld.database,
            "SELECT id FROM task WHERE state IN ('done', 'dead') AND attempts <= 3"
        )
        let ended = Set((rows ?? []).compactMap { $0[0].integer })
        tables.change { $0.unfinished.subtract(ended) }
    }
}
