public import Determinism
public import Effects
import Synchronization
public import Units

/// Puts jobs into the task queue when their schedules say so; workers run them.
///
/// A job waits or runs at most once at a time: while its task is not finished, its next times pass.
/// Times that passed while the node was down lead to one run together, and those of before the
/// job's first planning to none. The last planned time is in the database, written in the
/// transaction that adds the task, so a crash neither loses nor repeats a run; a full queue does lose
/// it, and says so. Each run's time moves by a random part of `jitter`.
public final class JobScheduler: Sendable {
    public struct Job: Sendable {
        public var name: String
        public var schedule: CronExpression
        public var run: @Sendable () async throws -> Void

        public init(
            name: String,
            schedule: CronExpression,
            run: @escaping @Sendable () async throws -> Void
        ) {
            self.name = name
            self.schedule = schedule
            self.run = run
        }

        var taskKind: String { "job.\(name)" }
    }

    /// One finished run.
    public struct Run: Hashable, Sendable {
        public var started: WallTime
        public var ended: WallTime
        /// `nil` when it went well.
        public var failure: String?
    }

    /// Runs of one job that the database remembers.
    public static let historyLimit = 50
    /// The longest sleep; the calendar's time may jump while the scheduler sleeps.
    static let nap = Interval.seconds(60)

    private let jobs: [Job]
    private let queue: TaskQueue
    private let jitter: Interval
    private let random: Mutex<SeededRandom>
    private let report: @Sendable (TaskQueueError) -> Void

    /// - Parameter report: hears of what could not be planned; it is tried again after a nap.
    public init(
        _ jobs: [Job],
        queue: TaskQueue,
        jitter: Interval,
        random: SeededRandom,
        report: @escaping @Sendable (TaskQueueError) -> Void
    ) {
        precondition(Set(jobs.map(\.name)).count == jobs.count, "two jobs have one name")
        precondition(jitter >= .zero, "jitter \(jitter)")
        self.jobs = jobs
        self.queue = queue
        self.jitter = jitter
        self.random = Mutex(random)
        self.report = report
    }

    /// Makes the jobs known to workers.
    public func register(in kinds: TaskKinds) {
        for job in jobs {
            kinds.register(TaskKind(job.taskKind) { [self] _ in try await run(job) })
        }
    }

    /// Plans jobs that were never planned from now on. Safe to repeat.
    public func plan() async throws(TaskQueueError) {
        let now = SQLValue.integer(queue.clock.wallTime.nanoseconds)
        try await transaction(
            jobs.map {
                SQLStatement(
                    "INSERT OR IGNORE INTO job (name, planned) VALUES (?, ?)",
                    [.text($0.name), now]
                )
            }
        )
    }

    /// Adds tasks as their times come, until cancelled.
    public func serve() async {
        await withTaskGroup(of: Void.self) { group in
            for job in jobs {
                group.addTask { await self.schedule(job) }
            }
        }
    }

    /// The last runs of a job, newest first.
    public func history(of job: String) async throws(TaskQueueError) -> [Run] {
        let rows = try await transaction([
            SQLStatement(
                "SELECT started, ended, failure FROM job_run WHERE job = ? ORDER BY id DESC",
                [.text(job)]
            )
        ])
        return try rows[0].map { (row) throws(TaskQueueError) in
            guard let started = row[0].integer, let ended = row[1].integer else {
                throw .damaged("a job's run has the shape \(row)")
            }
            return Run(
                started: WallTime(nanoseconds: started),
                ended: WallTime(nanoseconds: ended),
                failure: row[2].text
            )
        }
    }

    // MARK: - One job

    private func schedule(_ job: Job) async {
        while !Task.isCancelled {
            var wait = JobScheduler.nap
            do {
                wait = min(wait, try await step(job))
            } catch {
                report(error)
            }
            do {
                try await queue.clock.sleep(for: wait)
            } catch {
                return
            }
        }
    }

    /// Adds the job's task if a time of its schedule has come; tells how long nothing will come.
    private func step(_ job: Job) async throws(TaskQueueError) -> Interval {
        let now = queue.clock.wallTime
        let rows = try await transaction([
            SQLStatement("SELECT planned FROM job WHERE name = ?", [.text(job.name)])
        ])
        let stored = rows[0].first?[0].integer.map { WallTime(nanoseconds: $0) }
        // The clock was set back when the last plan lies ahead: schedules go on from now.
        let planned = min(stored ?? now, now)
        guard let next = job.schedule.next(after: planned) else { return JobScheduler.nap }
        guard next <= now else { return next - now }
        let delay = Interval(
            nanoseconds: Int64(random.withLock { $0.below(UInt64(jitter.nanoseconds) + 1) })
        )
        let keep = SQLStatement(
            """
            INSERT INTO job (name, planned) VALUES (?, ?)
            ON CONFLICT (name) DO UPDATE SET planned = excluded.planned
            """,
            [.text(job.name), .integer(now.nanoseconds)]
        )
        try await queue.enqueue(
            kind: job.taskKind,
            key: job.taskKind,
            due: now + delay,
            along: [keep]
        )
        return job.schedule.next(after: now).map { $0 - now } ?? JobScheduler.nap
    }

    /// Runs a job and remembers how it went.
    private func run(_ job: Job) async throws {
        let started = queue.clock.wallTime
        var failure: (any Error)?
        do {
            try await job.run()
        } catch {
            failure = error
        }
        let text = failure.map { String("\($0)".unicodeScalars.prefix(1000)) }
        try await transaction([
            SQLStatement(
                "INSERT INTO job_run (job, started, ended, failure) VALUES (?, ?, ?, ?)",
                [
                    .text(job.name), .integer(started.nanoseconds),
                    .integer(queue.clock.wallTime.nanoseconds), text.map { .text($0) } ?? .null,
                ]
            ),
            SQLStatement(
                """
                DELETE FROM job_run WHERE job = ? AND id NOT IN (
                    SELECT id FROM job_run WHERE job = ? ORDER BY id DESC LIMIT ?)
                """,
                [.text(job.name), .text(job.name), .integer(Int64(JobScheduler.historyLimit))]
            ),
        ])
        if let failure { throw failure }
    }

    @discardableResult
    private func transaction(
        _ statements: [SQLStatement]
    ) async throws(TaskQueueError) -> [[SQLRow]] {
        do {
            return try await queue.database.transaction(statements)
        } catch {
            throw .database(error)
        }
    }
}
