import Effects
public import Metrics
import Synchronization
import Units

/// Runs the tasks of a queue, at most `limit` at the same time, each under a lease that is extended
/// while it runs.
///
/// A task whose lease is lost is cancelled, and its result is not recorded: somebody else has it.
public final class WorkerPool: Sendable {
    private let queue: TaskQueue
    private let kinds: TaskKinds
    private let limit: Int
    private let metrics: any MetricsFactory
    private let report: @Sendable (TaskQueueError) -> Void
    private let isDraining = Mutex(false)
    private let ended = AsyncStream.makeStream(of: Void.self)

    /// How long the pool sleeps when nothing is due and nobody rings: retries and expired leases
    /// come due without a bell.
    static let nap = Interval.seconds(1)

    private enum Report: Sendable {
        case worked, napped, rang
    }

    /// How one run of a task ended.
    private enum Outcome: Sendable {
        case done
        case failed(String)
        /// The worker was told to end.
        case cancelled
        case leaseLost
        /// The heartbeat has ended since nobody needs it.
        case quiet
    }

    /// - Parameter report: hears of errors of the queue; the pool goes on after a nap.
    public init(
        queue: TaskQueue,
        kinds: TaskKinds,
        limit: Int,
        metrics: any MetricsFactory,
        report: @escaping @Sendable (TaskQueueError) -> Void
    ) {
        precondition(limit >= 1, "\(limit) workers")
        self.queue = queue
        self.kinds = kinds
        self.limit = limit
        self.metrics = metrics
        self.report = report
    }

    /// Works until `drain` has been called and the running tasks have ended, or until cancelled:
    /// then running tasks are cancelled and given back. To be called once.
    public func serve() async {
        await withTaskGroup(of: Report.self) { group in
            var running = 0
            var isNapping = false
            group.addTask { await self.bell() }
            while !Task.isCancelled {
                while running < limit, !isDraining.withLock({ $0 }), let lease = await claim() {
                    running += 1
                    group.addTask {
                        await self.run(lease)
                        return .worked
                    }
                }
                if running == 0, isDraining.withLock({ $0 }) { break }
                if !isNapping {
                    isNapping = true
                    group.addTask {
                        try? await self.queue.clock.sleep(for: WorkerPool.nap)
                        return .napped
                    }
                }
                switch await group.next() {
                case .worked: running -= 1
                case .napped: isNapping = false
                case .rang: group.addTask { await self.bell() }
                case nil: break
                }
            }
            group.cancelAll()
        }
        ended.continuation.finish()
    }

    /// Takes no new task and waits for those that run, which `serve` ends.
    public func drain() async {
        isDraining.withLock { $0 = true }
        queue.ring()
        for await _ in ended.stream {}
    }

    private func bell() async -> Report {
        for await _ in queue.doorbell.stream { return .rang }
        return .rang
    }

    private func claim() async -> TaskLease? {
        do {
            return try await queue.claim(kinds: kinds.names)
        } catch {
            report(error)
            return nil
        }
    }

    // MARK: - One task

    private func run(_ lease: TaskLease) async {
        let outcome = await work(on: lease)
        do {
            switch outcome {
            case .done: try await queue.complete(lease)
            case .failed(let reason): _ = try await queue.fail(lease, reason: reason)
            case .cancelled: try await queue.release(lease)
            case .leaseLost: break
            case .quiet: preconditionFailure("task \(lease.task.id) ended without an outcome")
            }
        } catch {
            // The lease runs out, and the task is tried again.
            report(error)
        }
        count(lease, outcome)
    }

    private func work(on lease: TaskLease) async -> Outcome {
        guard let kind = kinds.find(lease.task.kind) else {
            return .failed("no worker knows the kind '\(lease.task.kind)'")
        }
        return await withTaskGroup(of: Outcome.self) { group in
            group.addTask {
                do {
                    try await kind.run(lease.task)
                    return .done
                } catch {
                    return Task.isCancelled ? .cancelled : .failed("\(error)")
                }
            }
            group.addTask { await self.keep(lease) }
            var result = Outcome.quiet
            while let outcome = await group.next() {
                switch (outcome, result) {
                case (.quiet, _), (_, .leaseLost): continue
                case (.leaseLost, .done), (.leaseLost, .failed), (.leaseLost, .cancelled): continue
                case (.leaseLost, .quiet), (.done, _), (.failed, _), (.cancelled, _):
                    result = outcome
                    group.cancelAll()
                }
            }
            return result
        }
    }

    /// Extends the lease three times in its length.
    private func keep(_ lease: TaskLease) async -> Outcome {
        var lease = lease
        while true {
            do {
                try await queue.clock.sleep(for: queue.limits.lease / 3)
            } catch {
                return .quiet
            }
            do {
                lease = try await queue.extend(lease)
            } catch {
                if case .leaseLost = error { return .leaseLost }
                report(error)
                if queue.clock.wallTime >= lease.expires { return .leaseLost }
            }
        }
    }

    private func count(_ lease: TaskLease, _ outcome: Outcome) {
        let word =
            switch outcome {
            case .done: "done"
            case .failed: "failed"
            case .cancelled, .quiet: "cancelled"
            case .leaseLost: "lost"
            }
        Counter(
            label: "tasks_run_total",
            dimensions: [("kind", lease.task.kind), ("outcome", word)],
            factory: metrics
        ).increment()
    }
}
