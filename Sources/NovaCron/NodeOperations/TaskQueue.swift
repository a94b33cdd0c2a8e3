public import Determinism
public import Effects
public import Initialization
import Synchronization
public import Units

/// A bounded queue of tasks in the node's database; what is in it survives crashes.
///
/// A task is *waiting* until a holder claims it; *running* under a lease, which the holder extends;
/// then *done*, or *waiting* again after a failure or a lost lease, or *dead* once its attempts are
/// used up. Finished tasks stay until they are pruned. Every call is one transaction, so a crash
/// leaves a task in one of these states. A task runs at least once; its body must be safe to repeat.
///
/// A lease is named by a random token, new with each claim. Only the token's holder can extend or
/// end it, and only until somebody else has got the task; ending it again the same way changes
/// nothing, so an answer that was lost can be asked for again.
///
/// Time is the calendar's, since it goes on while the node is down. When it was set back, leases
/// that end later than any given now could count as lost, retries that are due later than any planned
/// now could be are due at once, and tasks that were added in what is the future now move back by as
/// much as their beginning does.
public final class TaskQueue: Sendable {
    public struct Limits: Hashable, Sendable {
        /// Tasks that wait or run.
        public var capacity: Int
        /// Until a task whose holder says nothing is given to another one.
        public var lease: Interval
        /// Attempts and the delays between them.
        public var retry: RetryPolicy
        public var payloadBytes: Int
        /// Finished tasks that a prune leaves in place at most.
        public var finished: Int

        public init(
            capacity: Int = 10_000,
            lease: Interval = .seconds(30),
            retry: RetryPolicy = RetryPolicy(
                attempts: 5,
                delay: .seconds(1),
                maximumDelay: .seconds(300),
                jitter: 0.1
            ),
            payloadBytes: Int = 64 << 10,
            finished: Int = 10_000
        ) {
            precondition(capacity >= 1 && lease > .zero && payloadBytes >= 0 && finished >= 0)
            self.capacity = capacity
            self.lease = lease
            self.retry = retry
            self.payloadBytes = payloadBytes
            self.finished = finished
        }
    }

    public let limits: Limits
    let database: any Database
    let clock: any EffectClock
    private let secrets: any SecretSource
    private let random: Mutex<SeededRandom>
    /// The latest calendar's time that was used since waiting tasks were last brought into reach: a
    /// time before it shows that the clock was set back.
    private let latest = Mutex<WallTime?>(nil)
    /// Rung when a task is there to be claimed; one listener.
    let doorbell = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))

    /// - Parameter random: spreads the delays between attempts.
    public init(
        database: any Database,
        limits: Limits,
        effects: NodeEffects,
        random: SeededRandom
    ) {
        self.database = database
        self.limits = limits
        clock = effects.clock
        secrets = effects.secrets
        self.random = Mutex(random)
    }

    /// The calendar's time, and whether it was earlier than it had been.
    func present() -> (now: WallTime, isSetBack: Bool) {
        let now = clock.wallTime
        return latest.withLock { latest in
            let known = max(latest ?? now, now)
            latest = known
            return (now, now < known)
        }
    }

    /// Waiting tasks are within reach as of that time.
    func corrected(at now: WallTime) { latest.withLock { $0 = now } }

    func newToken() -> String {
        let digits: [UInt8] = Array("0123456789abcdef".utf8)
        let bytes = secrets.randomBytes(16).flatMap {
            [digits[Int($0 >> 4)], digits[Int($0 & 15)]]
        }
        return String(decoding: bytes, as: UTF8.self)
    }

    func delay(afterAttempt attempt: Int) -> Interval {
        let spread = limits.retry.jitter * (2 * random.withLock { $0.unit() } - 1)
        return limits.retry.delay(afterAttempt: attempt).scaled(by: 1 + spread)
    }
}

/// A task as its holder sees it.
public struct QueuedTask: Hashable, Sendable {
    public var id: Int64
    public var kind: String
    public var payload: [UInt8]
    /// Counted from one.
    public var attempt: Int

    public init(id: Int64, kind: String, payload: [UInt8], attempt: Int) {
        self.id = id
        self.kind = kind
        self.payload = payload
        self.attempt = attempt
    }
}

/// The right to run a task for a while.
public struct TaskLease: Hashable, Sendable {
    public var task: QueuedTask
    /// Names this claim and no other.
    public var token: String
    public var expires: WallTime

    public init(task: QueuedTask, token: String, expires: WallTime) {
        self.task = task
        self.token = token
        self.expires = expires
    }
}

/// What became of a task after a failure.
public enum TaskVerdict: Hashable, Sendable {
    case retried(at: WallTime)
    /// Its attempts are used up.
    case dead
}

/// How many tasks are in each state.
public struct TaskCounts: Hashable, Sendable {
    public var waiting = 0
    public var running = 0
    public var done = 0
    public var dead = 0

    public init() {}
}

/// Why the queue does not do something.
public enum TaskQueueError: Error, Hashable, Sendable, CustomStringConvertible {
    /// As many tasks as it may hold wait or run.
    case full(capacity: Int)
    case payloadTooLarge(bytes: Int, limit: Int)
    /// Kinds have 1 to 100 characters, keys 1 to 200.
    case badName(String)
    /// Somebody else has got the task, or it has ended otherwise.
    case leaseLost(task: Int64)
    case database(DatabaseError)
    /// The tables hold what they never should; the text says what.
    case damaged(String)

    public var description: String {
        switch self {
        case .full(let capacity): "the task queue is full: \(capacity) tasks wait or run"
        case .payloadTooLarge(let bytes, let limit):
            "the task's payload has \(bytes) bytes; \(limit) are allowed"
        case .badName(let name): "'\(name)' cannot name a task's kind or key"
        case .leaseLost(let task): "the lease of task \(task) is lost"
        case .database(let error): error.description
        case .damaged(let text): "the task queue's tables are damaged: \(text)"
        }
    }
}
