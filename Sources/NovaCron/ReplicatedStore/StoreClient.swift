import Determinism
public import Machines
public import Units

/// How a client of the store behaves.
public struct StoreClientConfiguration: Hashable, Sendable {
    /// The replicas to ask, at least one.
    public var replicas: [NodeID]
    /// How long an operation is tried in all.
    public var deadline = Interval.seconds(10)
    /// How long one attempt waits for its answer.
    public var attemptTimeout = Interval.milliseconds(1_000)
    /// The pause before a refused attempt is repeated.
    public var retryPause = Interval.milliseconds(50)
    /// Operations that are open at once; more fail at once.
    public var openLimit = 64
    /// Reads go to the client's first replica, which asks the leader for the index.
    public var readsFromFollower = false

    public init(replicas: [NodeID]) {
        self.replicas = replicas
    }

    /// Traps for values that contradict each other.
    public func checkBounds() {
        precondition(!replicas.isEmpty, "a client without replicas")
        precondition(deadline > .zero && attemptTimeout > .zero && retryPause > .zero)
        precondition(openLimit > 0, "a client without operations")
    }
}

/// The client's side of the store: session, leader discovery, retries, deadlines.
///
/// A part of a program. `submit` begins an operation; `completed` tells its end, exactly once, at the
/// latest at its deadline. An update keeps its sequence through all attempts, so it takes effect at most
/// once; one whose outcome is not known at its deadline is `unknown`, because a copy may still be under
/// way. Reads and administration have no effect when they fail, except that an order of administration
/// without an answer is `unknown` too.
///
/// When the group forgot the session, open updates end: those that were sent as `unknown`; a new session
/// is opened for the next ones. Nothing here survives a crash: the next incarnation opens a session of
/// its own.
///
/// Bounds: `openLimit` operations, one session, one timer.
public struct StoreClient: Sendable {
    public let node: NodeID
    public let configuration: StoreClientConfiguration
    private var random: SeededRandom
    private var session = Session.none
    private var nextSequence: UInt64 = 1
    private var nextName: UInt64
    /// Whom to ask first.
    private var leader: NodeID
    private var operations: [Operation] = []
    /// The attempt to open a session, if one is under way.
    private var registration: Attempt?
    /// What attempts to open a session are called: an answer to any of them will do.
    private var registrationName: UInt64 = 0
    private var timerAt: Instant?

    private enum Session: Hashable, Sendable {
        case none
        case open(UInt64)
    }

    private struct Attempt: Sendable {
        var replica: NodeID
        /// When it is given up, or when the next one begins.
        var due: Instant
        var isWaiting: Bool
    }

    private struct Operation: Sendable {
        let name: UInt64
        /// What its attempts are called: a late answer to an earlier one is as good.
        let attemptName: UInt64
        let work: Work
        let deadline: Instant
        var attempt: Attempt?
        var attempts: UInt32 = 0
        /// Zero until it was sent within a session.
        var sequence: UInt64 = 0
    }

    private enum Work: Sendable {
        case command(StoreCommand)
        case administer(StoreAdministration)
        case members

        var needsSession: Bool {
            switch self {
            case .command(let command): !command.isRead
            case .administer, .members: false
            }
        }
    }

    /// - Parameter line: tells clients of one node apart, in the names of their attempts and in their
    ///   draws.
    public init<Program: StoreProgram>(
        _ birth: Birth<Program>,
        configuration: StoreClientConfiguration,
        line: UInt16 = 0
    ) {
        configuration.checkBounds()
        node = birth.node
        self.configuration = configuration
        random = SeededRandom(
            // A purpose is a literal, so lines differ in the seed.
            seed: birth.seed ^ UInt64(line) &* 0x9E37_79B9_7F4A_7C15,
            entity: EntityID(birth.node),
            purpose: "store client",
            incarnation: birth.incarnation
        )
        // Answers to an earlier life must not be taken for ours.
        nextName = UInt64(birth.incarnation) << 48 | UInt64(line) << 32
        leader = configuration.replicas[0]
    }

    /// The line of the client that an answer is for; a name has room for 2^32 attempts of each.
    public static func line(of attempt: UInt64) -> UInt16 {
        UInt16(truncatingIfNeeded: attempt >> 32)
    }

    /// Operations that have not ended.
    public var openOperations: Int { operations.count }

    // MARK: Inputs

    /// Begins an operation; `operation` is the caller's name for it, used once.
    public mutating func submit<Program: StoreProgram>(
        _ command: StoreCommand,
        as operation: UInt64,
        at now: Instant,
        into actions: inout Actions<Program>
    ) {
        precondition(command.isWithinLimits, "a command beyond the limits")
        begin(.command(command), operation, at: now, into: &actions)
    }

    public mutating func administer<Program: StoreProgram>(
        _ order: StoreAdministration,
        as operation: UInt64,
        at now: Instant,
        into actions: inout Actions<Program>
    ) {
        begin(.administer(order), operation, at: now, into: &actions)
    }

    /// Asks the leader who takes part.
    public mutating func askMembers<Program: StoreProgram>(
        as operation: UInt64,
        at now: Instant,
        into actions: inout Actions<Program>
    ) {
        begin(.members, operation, at: now, into: &actions)
    }

    public mutating func received<Program: StoreProgram>(
        _ message: consuming StoreMessage,
        from replica: NodeID,
        at now: Instant,
        into actions: inout Actions<Program>
    ) {
        guard case .answer(let attempt, let answer) = consume message else { return }
        if attempt == registrationName, attempt != 0 {
            registrationAnswered(answer, at: now, into: &actions)
        } else if let place = operations.firstIndex(where: { $0.attemptName == attempt }) {
            answered(place, answer, by: replica, at: now, into: &actions)
        }
        setTimer(at: now, into: &actions)
    }

    public mutating func fired<Program: StoreProgram>(
        _ timer: StoreTimer,
        at now: Instant,
        into actions: inout Actions<Program>
    ) {
        guard timer == .client else { return }
        timerAt = nil
        expire(at: now, into: &actions)
        if let attempt = registration, attempt.due <= now {
            if !attempt.isWaiting { chooseAnother(than: attempt.replica) }
            registration = nil
        }
        for place in operations.indices {
            guard let attempt = operations[place].attempt, attempt.due <= now else { continue }
            if !attempt.isWaiting { chooseAnother(than: attempt.replica) }
            operations[place].attempt = nil
        }
        proceed(at: now, into: &actions)
        setTimer(at: now, into: &actions)
    }

    public func checkInvariants() {
        precondition(operations.count <= configuration.openLimit, "\(operations.count) open")
    }

    // MARK: Operations

    private mutating func begin<Program: StoreProgram>(
        _ work: Work,
        _ name: UInt64,
        at now: Instant,
        into actions: inout Actions<Program>
    ) {
        guard operations.count < configuration.openLimit else {
            actions.emit(Program.wrap(.completed(operation: name, .failed, attempts: 0)))
            return
        }
        nextName += 1
        operations.append(
            Operation(
                name: name,
                attemptName: nextName,
                work: work,
                deadline: now + configuration.deadline
            )
        )
        proceed(at: now, into: &actions)
        setTimer(at: now, into: &actions)
    }

    /// Sends whatever has no attempt under way.
    private mutating func proceed<Program: StoreProgram>(
        at now: Instant,
        into actions: inout Actions<Program>
    ) {
        if session == .none, registration == nil,
            operations.contains(where: { $0.work.needsSession })
        {
            if registrationName == 0 {
                nextName += 1
                registrationName = nextName
            }
            registration = newAttempt(to: leader, at: now)
            actions.send(.request(attempt: registrationName, .register), to: leader)
        }
        for place in operations.indices where operations[place].attempt == nil {
            send(place, at: now, into: &actions)
        }
    }

    private mutating func send<Program: StoreProgram>(
        _ place: Int,
        at now: Instant,
        into actions: inout Actions<Program>
    ) {
        let question: StoreQuestion
        var replica = leader
        switch operations[place].work {
        case .command(let command) where command.isRead:
            question = .read(command, fromFollower: configuration.readsFromFollower)
            if configuration.readsFromFollower, operations[place].attempts == 0 {
                replica = configuration.replicas[0]
            }
        case .command(let command):
            guard case .open(let session) = session else { return }
            if operations[place].sequence == 0 {
                operations[place].sequence = nextSequence
                nextSequence += 1
            }
            question = .update(
                session: session,
                sequence: operations[place].sequence,
                answered: answeredSequence,
                command
            )
        case .administer(let order):
            question = .administer(order)
        case .members:
            question = .members
        }
        operations[place].attempt = newAttempt(to: replica, at: now)
        operations[place].attempts += 1
        actions.send(.request(attempt: operations[place].attemptName, question), to: replica)
    }

    /// All sequences up to here are over.
    private var answeredSequence: UInt64 {
        var lowest = nextSequence
        for place in operations.indices where operations[place].sequence > 0 {
            lowest = min(lowest, operations[place].sequence)
        }
        return lowest - 1
    }

    private func newAttempt(to replica: NodeID, at now: Instant) -> Attempt {
        Attempt(replica: replica, due: now + configuration.attemptTimeout, isWaiting: false)
    }

    private mutating func answered<Program: StoreProgram>(
        _ place: Int,
        _ answer: StoreAnswer,
        by replica: NodeID,
        at now: Instant,
        into actions: inout Actions<Program>
    ) {
        switch answer {
        case .result(let result):
            leader = configuration.readsFromFollower ? leader : replica
            complete(place, .result(result), into: &actions)
        case .accepted:
            complete(place, .accepted, into: &actions)
        case .members(let membership):
            leader = replica
            complete(place, .members(membership), into: &actions)
        case .refused(.notApplicable):
            complete(place, .failed, into: &actions)
        case .refused(.noSession), .refused(.staleSequence):
            forgetSession(into: &actions)
            proceed(at: now, into: &actions)
        case .refused(let refusal):
            let pause = operations[place].attempt.map { pausing($0, refusal, at: now) }
            operations[place].attempt = pause
        case .registered:
            break
        }
    }

    private mutating func registrationAnswered<Program: StoreProgram>(
        _ answer: StoreAnswer,
        at now: Instant,
        into actions: inout Actions<Program>
    ) {
        switch answer {
        case .registered(let name):
            registration = nil
            registrationName = 0
            session = .open(name)
            actions.emit(Program.wrap(.sessionOpened(name)))
            proceed(at: now, into: &actions)
        case .refused(let refusal):
            if let attempt = registration { registration = pausing(attempt, refusal, at: now) }
        case .result, .accepted, .members:
            break
        }
    }

    /// What follows a refused attempt: the same again after a pause, at the leader if it was named.
    private mutating func pausing(
        _ attempt: Attempt,
        _ refusal: StoreRefusal,
        at now: Instant
    ) -> Attempt {
        switch refusal {
        case .notLeader(let named?) where named != attempt.replica:
            leader = named
        case .notLeader:
            chooseAnother(than: attempt.replica)
        case .busy, .unknownOutcome, .noSession, .staleSequence, .notApplicable:
            break
        }
        return Attempt(
            replica: attempt.replica,
            due: now + configuration.retryPause,
            isWaiting: true
        )
    }

    private mutating func chooseAnother(than replica: NodeID) {
        // Another attempt may have found the leader meanwhile.
        guard leader == replica, configuration.replicas.count > 1 else { return }
        let others = configuration.replicas.count - 1
        let place = configuration.replicas.firstIndex(of: replica) ?? others
        let step = 1 + Int(random.below(UInt64(others)))
        leader = configuration.replicas[(place + step) % configuration.replicas.count]
    }

    /// The group does not know our session any more: what was sent in it may have happened or not.
    private mutating func forgetSession<Program: StoreProgram>(
        into actions: inout Actions<Program>
    ) {
        session = .none
        var place = 0
        while place < operations.count {
            if operations[place].sequence > 0 {
                complete(place, .unknown, into: &actions)
            } else {
                place += 1
            }
        }
        nextSequence = 1
    }

    private mutating func expire<Program: StoreProgram>(
        at now: Instant,
        into actions: inout Actions<Program>
    ) {
        var place = 0
        while place < operations.count {
            guard operations[place].deadline <= now else {
                place += 1
                continue
            }
            let wasSent = operations[place].attempts > 0
            switch operations[place].work {
            case .command(let command) where command.isRead:
                complete(place, .failed, into: &actions)
            case .members:
                complete(place, .failed, into: &actions)
            case .command, .administer:
                complete(place, wasSent ? .unknown : .failed, into: &actions)
            }
        }
    }

    private mutating func complete<Program: StoreProgram>(
        _ place: Int,
        _ outcome: StoreOutcome,
        into actions: inout Actions<Program>
    ) {
        let operation = operations.remove(at: place)
        actions.emit(
            Program.wrap(
                .completed(
                    operation: operation.name,
                    outcome,
                    attempts: operation.attempts
                )
            )
        )
    }

    private mutating func setTimer<Program: StoreProgram>(
        at now: Instant,
        into actions: inout Actions<Program>
    ) {
        var next: Instant?
        func consider(_ time: Instant) { next = next.map { min($0, time) } ?? time }
        // By place: an operation would be copied with its command.
        for place in operations.indices {
            consider(operations[place].deadline)
            if let due = operations[place].attempt?.due { consider(due) }
        }
        if let attempt = registration { consider(attempt.due) }
        // One that is set for earlier stays: as a rule the answer comes first, and the timer then finds nothing to do
        // or is set anew.
        guard let next, timerAt.map({ next < $0 }) ?? true else { return }
        timerAt = next
        actions.setTimer(Program.wrap(.client), at: max(now, next))
    }
}
