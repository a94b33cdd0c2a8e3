public import Determinism
import Glibc
public import Units

/// Runs asynchronous code under virtual time, one job after another on one thread, in an order
/// drawn from a seed.
///
/// Structured tasks that start under this executor's preference, with the actors they use, put all
/// their jobs here; `clock` is the clock that they sleep on. Among the jobs that are ready, the seed
/// picks the next one, so different seeds explore different interleavings and one seed replays
/// exactly. Time stands still while jobs are ready and then jumps to the next sleeper's deadline;
/// cancelled sleepers are gone from the queue and move nothing.
///
/// What this cannot hold back, because it does not follow the preference: detached and unstructured
/// tasks, the main actor, actors with executors of their own, and stock clocks. Whenever such code
/// comes back to this executor from another thread, the executor traps.
///
/// A world that has an event queue of its own drives the executor with `nextWake` and
/// `advance(to:)`; alone, `run` does it.
public final class VirtualExecutor: TaskExecutor, @unchecked Sendable {
    // Unchecked, because every use is confined to one thread, which `checkThread` enforces. For the
    // same reason, and because no change of a property runs foreign code, accesses are exclusive
    // without being checked at run time; the checks took 5 % of a boot.

    /// The virtual time.
    @exclusivity(unchecked) public private(set) var now: Instant
    /// Jobs run so far.
    @exclusivity(unchecked) public private(set) var jobCount: UInt64 = 0

    @exclusivity(unchecked) private var ready: [UnownedJob] = []
    @exclusivity(unchecked) private var random: SeededRandom
    @exclusivity(unchecked) private var trace: HashChain
    @exclusivity(unchecked) private var sleepers: EventQueue<UInt32>
    @exclusivity(unchecked) private var origin: EventOrigin
    /// Who waits, by the index that the event carries.
    @exclusivity(unchecked) private var table: [Waiting] = []
    @exclusivity(unchecked) private var freeIndices: [UInt32] = []
    @exclusivity(unchecked) private var thread: pthread_t?

    /// An executor at `start`, which is not negative; `entity` names it among the origins of events and random streams.
    public init(
        seed: UInt64,
        entity: EntityID = EntityID(.executor, 0),
        start: Instant = .zero
    ) {
        precondition(start >= .zero, "virtual time cannot start at \(start)")
        now = start
        random = SeededRandom(seed: seed, entity: entity, purpose: "executor order")
        trace = HashChain(key: UInt64(entity.rawValue))
        sleepers = EventQueue(capacity: 64)
        origin = EventOrigin(entity)
    }

    /// The clock that shows this executor's time.
    public var clock: VirtualClock { VirtualClock(executor: self) }

    /// A digest of every choice made so far and of the time it was made at.
    public var fingerprint: Fingerprint { trace.fingerprint }

    /// Mixes a fact of the simulated code into the fingerprint, with the current time.
    public func record(_ fact: String) {
        trace.combine(now.nanoseconds)
        trace.combine(fact)
    }

    // MARK: - Driving

    /// Whether a job could run without time passing.
    public var hasReadyJobs: Bool { !ready.isEmpty }

    /// When the next sleeper wakes; `nil` when none sleeps.
    public var nextWake: Instant? { sleepers.nextTime }

    /// Starts a root task. It runs when the executor is driven.
    public func start(_ body: @escaping @Sendable () async -> Void) {
        Task(executorPreference: self) { await body() }
    }

    /// Runs ready jobs, and those they make ready, until none is left or `limit` were run; returns
    /// how many were run. Time does not pass.
    @discardableResult
    public func drain(limit: Int) -> Int {
        checkThread()
        var run = 0
        while run < limit, !ready.isEmpty {
            let choice = Int(random.below(UInt64(ready.count)))
            trace.combine(UInt64(choice) << 32 | UInt64(ready.count))
            trace.combine(now.nanoseconds)
            ready.swapAt(choice, ready.count - 1)
            let job = ready.removeLast()
            jobCount += 1
            run += 1
            job.runSynchronously(on: asUnownedTaskExecutor())
        }
        return run
    }

    /// Moves time forward, makes every sleeper ready whose deadline is not after `time`, and rings
    /// the alarms on the way, each at its own time. Traps when `time` is past.
    public func advance(to time: Instant) {
        checkThread()
        precondition(time >= now, "time cannot go back from \(now) to \(time)")
        while let event = sleepers.next(notAfter: time) {
            now = max(now, event.time)
            switch release(event.payload) {
            case .sleeper(let sleeper):
                sleeper.index = nil
                sleeper.finish(.success(()))
            case .alarm(let target, let number):
                target.ring(number)
            case .nobody:
                preconditionFailure("waiting place \(event.payload) was woken twice")
            }
        }
        now = time
    }

    /// Runs `body` to its end, alternating between ready jobs and the next wake-up.
    ///
    /// - Parameter jobLimit: after that many jobs the run is given up.
    /// - Throws: `VirtualExecutorError` when the run cannot end. The tasks left over never continue.
    public func run<Value: Sendable>(
        jobLimit: Int = 10_000_000,
        _ body: @escaping @Sendable () async -> Value
    ) throws(VirtualExecutorError) -> Value {
        let result = Result<Value>()
        start { result.value = await body() }
        var left = jobLimit
        while true {
            left -= drain(limit: left)
            if let value = result.value { return value }
            guard left > 0 else { throw .jobLimitReached(jobLimit, at: now) }
            guard let wake = nextWake else { throw .stalled(at: now) }
            advance(to: wake)
        }
    }

    private final class Result<Value: Sendable>: @unchecked Sendable {
        // Unchecked, because only jobs and the driver of this executor use it, on one thread.
        var value: Value?
    }

    // MARK: - Sleeping

    /// Suspends the task until `deadline`; one that is not later than now still lets others run.
    /// Throws `CancellationError` when the task is cancelled before. To be used by this executor's
    /// tasks only.
    public nonisolated(nonsending) func sleep(until deadline: Instant) async throws {
        let sleeper = Sleeper()
        try await withTaskCancellationHandler {
            try await withUnsafeThrowingContinuation { continuation in
                self.arm(sleeper, continuation, until: deadline)
            }
        } onCancel: {
            self.cancel(sleeper)
        }
    }

    private func arm(
        _ sleeper: Sleeper,
        _ continuation: Sleeper.Continuation,
        until deadline: Instant
    ) {
        checkThread()
        sleeper.continuation = continuation
        guard !sleeper.isCancelled else {
            sleeper.finish(.failure(CancellationError()))
            return
        }
        let index = reserve(.sleeper(sleeper))
        sleeper.index = index
        sleeper.token = sleepers.schedule(index, at: max(deadline, now), from: &origin)
    }

    private func cancel(_ sleeper: Sleeper) {
        checkThread()
        sleeper.isCancelled = true
        // Not armed yet, or already woken: there is nothing to take back.
        guard let index = sleeper.index else { return }
        sleepers.cancel(sleeper.token)
        _ = release(index)
        sleeper.index = nil
        sleeper.finish(.failure(CancellationError()))
    }

    // MARK: - Alarms

    /// Calls `target.ring(number)` when time has come to `time`; a time that is past means now, once
    /// the executor is driven on. Alarms and sleepers of one instant take their turns in the order
    /// in which they were set. For models of shared things, which decide who may go on.
    public func setAlarm(
        at time: Instant,
        for target: any AlarmTarget,
        number: UInt32 = 0
    ) -> VirtualAlarm {
        checkThread()
        let index = reserve(.alarm(target, number))
        let token = sleepers.schedule(index, at: max(time, now), from: &origin)
        return VirtualAlarm(token: token, index: index)
    }

    /// Takes an alarm back; `false`, and no effect, when it has rung or was taken back before.
    @discardableResult
    public func cancelAlarm(_ alarm: VirtualAlarm) -> Bool {
        checkThread()
        guard sleepers.cancel(alarm.token) else { return false }
        _ = release(alarm.index)
        return true
    }

    private enum Waiting {
        case nobody
        case sleeper(Sleeper)
        case alarm(any AlarmTarget, UInt32)
    }

    private func reserve(_ waiting: Waiting) -> UInt32 {
        guard let index = freeIndices.popLast() else {
            table.append(waiting)
            return UInt32(table.count - 1)
        }
        table[Int(index)] = waiting
        return index
    }

    private func release(_ index: UInt32) -> Waiting {
        let waiting = table[Int(index)]
        table[Int(index)] = .nobody
        freeIndices.append(index)
        return waiting
    }

    /// One call of `sleep`: not armed, then armed while `index` is set, then finished.
    private final class Sleeper: @unchecked Sendable {
        typealias Continuation = UnsafeContinuation<Void, any Error>

        // Unchecked, because the executor checks the thread before it touches a sleeper.
        var continuation: Continuation?
        var index: UInt32?
        var token = EventToken.none
        var isCancelled = false

        func finish(_ result: Swift.Result<Void, any Error>) {
            continuation?.resume(with: result)
            continuation = nil
        }
    }

    // MARK: - Jobs

    public func enqueue(_ job: consuming ExecutorJob) {
        checkThread()
        ready.append(UnownedJob(job))
    }

    private func checkThread() {
        let current = pthread_self()
        if let thread {
            precondition(
                pthread_equal(thread, current) != 0,
                "a job came from another thread: some code escaped the virtual executor"
            )
        } else {
            thread = current
        }
    }
}

/// Why asynchronous code under virtual time did not end.
public enum VirtualExecutorError: Error, Hashable, Sendable {
    /// Nothing is ready and nobody sleeps: the remaining tasks wait for each other.
    case stalled(at: Instant)
    /// The limit of jobs was run.
    case jobLimitReached(Int, at: Instant)
}
