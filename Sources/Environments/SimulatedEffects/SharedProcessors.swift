public import SimulationKernel
public import Units

/// The cores of one node, shared by all jobs that run at the same time (processor sharing): up to as
/// many jobs as cores run at full speed, more of them each get an equal part of the cores.
///
/// Exact and event-driven (Kleinrock, "Time-shared Systems: A Theoretical Treatment", JACM 1967): a
/// *virtual work clock* counts the work that every present job has been given; a job is done when
/// the clock has gone on by its demand, so arrivals and departures touch no other job. One alarm, for
/// the next departure, is pending at a time. Work is counted in 2⁻³² ns; each arrival and departure
/// rounds by less than that, and departures happen on the first whole nanosecond after the work.
///
/// Bounds: 65,536 jobs at a time; more trap, because the number of jobs is the caller's concurrency.
/// To be used by tasks of the executor only.
public final class SharedProcessors: AlarmTarget, @unchecked Sendable {
    // Unchecked, because every use is confined to the executor's thread.

    public let cores: Int
    private let executor: VirtualExecutor
    /// Jobs by the reading of the work clock at which they are done, latest first.
    private var jobs: [Job] = []
    /// What each present job has been given, since the cores were last idle; in 2⁻³² ns.
    private var workClock: Int128 = 0
    private var changed: Instant
    /// Work given to all jobs until `changed`; in 2⁻³² ns.
    private var givenWork: Int128 = 0
    /// Of one core, against its nominal speed; 2³² is nominal.
    private var speed: Int128 = SharedProcessors.unit
    private var alarm: VirtualAlarm?
    private var alarmTime = Instant.distantFuture

    /// Jobs that may be present at a time.
    public static let jobLimit = 65_536

    private static let unit: Int128 = 1 << 32

    /// Traps when `cores` is not in 1...4096.
    public init(cores: Int, executor: VirtualExecutor) {
        precondition((1...4096).contains(cores), "a node with \(cores) cores")
        self.cores = cores
        self.executor = executor
        changed = executor.now
    }

    /// Jobs that are present.
    public var jobCount: Int { jobs.count }

    /// Work done so far, summed over cores, as time that it takes at nominal speed.
    public var busy: Interval {
        let given = givenWork + gained(until: executor.now) * Int128(jobs.count)
        return Interval(nanoseconds: Int64(given / SharedProcessors.unit))
    }

    /// How many times slower than nominal the cores work from now on; at least one.
    public var slowdown: Double = 1 {
        didSet {
            precondition(slowdown >= 1 && slowdown <= 1e6, "cores slowed by \(slowdown)")
            advance()
            speed = Int128((Double(SharedProcessors.unit) / slowdown).rounded())
            schedule()
        }
    }

    /// Computes for as long as one core at nominal speed needs `work`; longer when others compute
    /// too. No work still asks whether the task is cancelled. Traps for negative work.
    ///
    /// - Throws: `CancellationError` when the task is cancelled before the end; what was computed
    ///   until then counts as busy.
    public nonisolated(nonsending) func run(_ work: Interval) async throws {
        precondition(work >= .zero, "a job of \(work)")
        guard work > .zero else { return try Task.checkCancellation() }
        let job = Job()
        try await withTaskCancellationHandler {
            try await withUnsafeThrowingContinuation { continuation in
                self.add(job, work, continuation)
            }
        } onCancel: {
            self.cancel(job)
        }
    }

    /// Ends all jobs with `CancellationError`, as a crash of the node does.
    public func drop() {
        advance()
        let dropped = jobs
        jobs.removeAll()
        workClock = 0
        schedule()
        for job in dropped.reversed() { job.finish(.failure(CancellationError())) }
    }

    public func ring(_ number: UInt32) {
        alarm = nil
        alarmTime = .distantFuture
        advance()
        while let job = jobs.last, job.end <= workClock {
            jobs.removeLast()
            job.finish(.success(()))
        }
        schedule()
    }

    // MARK: - Jobs

    private func add(_ job: Job, _ work: Interval, _ continuation: Job.Continuation) {
        job.continuation = continuation
        guard !job.isCancelled else {
            job.finish(.failure(CancellationError()))
            return
        }
        precondition(jobs.count < SharedProcessors.jobLimit, "\(jobs.count) jobs on one node")
        advance()
        if jobs.isEmpty { workClock = 0 }
        job.end = workClock + Int128(work.nanoseconds) * SharedProcessors.unit
        jobs.insert(job, at: place(of: job.end))
        job.isPresent = true
        schedule()
    }

    private func cancel(_ job: Job) {
        job.isCancelled = true
        guard job.isPresent else { return }
        advance()
        guard let place = jobs[place(of: job.end)...].firstIndex(where: { $0 === job }) else {
            preconditionFailure("a present job is not among the \(jobs.count) jobs")
        }
        jobs.remove(at: place)
        job.finish(.failure(CancellationError()))
        schedule()
    }

    /// Before all jobs that end at `end` or earlier, so that equal ones leave in order of arrival.
    private func place(of end: Int128) -> Int {
        var low = 0
        var high = jobs.count
        while low < high {
            let middle = (low + high) / 2
            if jobs[middle].end > end { low = middle + 1 } else { high = middle }
        }
        return low
    }

    // MARK: - The work clock

    /// What each job is given from `changed` until `time`.
    private func gained(until time: Instant) -> Int128 {
        guard !jobs.isEmpty else { return 0 }
        let elapsed = Int128((time - changed).nanoseconds) * speed
        return jobs.count <= cores ? elapsed : elapsed * Int128(cores) / Int128(jobs.count)
    }

    private func advance() {
        let now = executor.now
        guard now > changed else { return }
        let gain = gained(until: now)
        workClock += gain
        givenWork += gain * Int128(jobs.count)
        changed = now
    }

    /// Sets the alarm for the first departure; called whenever the jobs or the speed changed, with
    /// the work clock at the present.
    private func schedule() {
        guard let first = jobs.last else { return setAlarm(at: .distantFuture) }
        let rest = max(0, first.end - workClock)
        let (work, rate) =
            jobs.count <= cores
            ? (rest, speed) : (rest * Int128(jobs.count), speed * Int128(cores))
        let wait = (work + rate - 1) / rate
        setAlarm(at: changed.advanced(by: Interval(nanoseconds: Int64(clamping: wait))))
    }

    private func setAlarm(at time: Instant) {
        guard time != alarmTime else { return }
        if let alarm { executor.cancelAlarm(alarm) }
        alarmTime = time
        alarm = time == .distantFuture ? nil : executor.setAlarm(at: time, for: self)
    }

    /// One call of `run`: not present, then present until it is finished.
    private final class Job: @unchecked Sendable {
        typealias Continuation = UnsafeContinuation<Void, any Error>

        // Unchecked, because only the executor's thread uses it.
        var continuation: Continuation?
        var end: Int128 = 0
        var isPresent = false
        var isCancelled = false

        func finish(_ result: Result<Void, any Error>) {
            isPresent = false
            continuation?.resume(with: result)
            continuation = nil
        }
    }
}
