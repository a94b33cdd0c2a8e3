import Determinism
public import Machines
public import Units

/// One replica's part in Raft, as a value that a parent machine composes.
///
/// The parent forwards messages, timers and completed writes, and carries out the effects in order. It
/// owns the state machine: it applies what `apply` brings, restores what `restore` brings, and offers
/// snapshots when `wantsSnapshot`. Sources: Ongaro and Ousterhout, "In Search of an Understandable
/// Consensus Algorithm" (2014), and Ongaro's dissertation (2014); where etcd's or others' practice is
/// followed, the place says so. See the article for what deviates.
///
/// *follower* → *pre-candidate* when no leader was heard for a timeout → *candidate* when a quorum would
/// vote → *leader* when a quorum voted. Any → *follower* at a higher term; leader → follower also without
/// a quorum, and when its removal is committed.
///
/// Memory is bounded by the configuration: entries not committed and their bytes, reads, messages in
/// flight, a snapshot and one that arrives; and by `wantsSnapshot` being followed.
///
/// Helpers of frequent steps that only read are `mutating` or inlined all the same: to call another kind, the
/// compiler copies the whole value.
public struct RaftCore<Rules: RaftRules>: Sendable {
    public let node: NodeID
    public let configuration: RaftConfiguration
    public let rules: Rules
    /// Where a simulation goes the unlikely way, and what it must have seen.
    public var points: BiasedPoints
    var random: SeededRandom

    // MARK: What is durable, as it is in memory

    public internal(set) var term: Term
    public internal(set) var vote: NodeID?
    var log: RaftLog

    // MARK: What a crash loses

    public internal(set) var role = Role.follower
    public internal(set) var leader: NodeID?
    public internal(set) var commit: LogIndex
    public internal(set) var applied: LogIndex
    /// When the wait for a leader began.
    var waitingSince = Instant.zero
    /// When a leader was last heard; voters turn candidates away for a while after it.
    var leaderHeard: Instant?
    /// How long to wait now; drawn anew for every wait.
    var timeout = Interval.zero
    var isElectionTimerSet = false
    /// The latest time seen, to notice a clock that was set back.
    var latest = Instant(nanoseconds: .min)
    var ballot = Ballot()
    var reign = Reign()
    var incoming: IncomingSnapshot?
    /// Reads that the leader was asked to confirm, oldest first.
    var forwarded: [(read: UInt64, asked: Instant)] = []
    /// The last entry known to be as in the log of a leader, and that leader's term.
    var verified: (term: Term, index: LogIndex) = (0, 0)
    /// Confirmed reads that wait for the state machine, by index.
    var readsToApply: [(index: LogIndex, read: UInt64)] = []
    var durability = Durability()
    /// What was recovered does not fit together: reported when the node starts.
    var recoveryProblem: RaftFact.Contradiction?
    /// Commands before `applied` were withheld from this node: its state machine is void.
    var isStateWithheld: Bool
    /// A snapshot is wanted before its time.
    var isSnapshotDue = false

    public enum Role: UInt8, Hashable, Sendable {
        case follower
        case preCandidate
        case candidate
        case leader
    }

    /// - Parameters:
    ///   - bootstrap: the membership to begin with, equal on all nodes of a new group; `.none` for a
    ///     node that will be added to one.
    ///   - recovered: what earlier incarnations made durable, oldest first.
    public init(
        node: NodeID,
        seed: UInt64,
        incarnation: UInt32,
        configuration: RaftConfiguration,
        rules: Rules,
        bootstrap: Membership,
        recovered: [RaftRecord],
        points: BiasedPoints = .off
    ) {
        configuration.checkBounds()
        self.points = points
        self.node = node
        self.configuration = configuration
        self.rules = rules
        random = SeededRandom(
            seed: seed,
            entity: EntityID(node),
            purpose: "raft",
            incarnation: incarnation
        )
        var recovery = Recovery(bootstrap: bootstrap)
        for record in recovered { recovery.take(record, rules) }
        term = max(recovery.term, recovery.log.lastTerm)
        vote = recovery.term == term ? recovery.vote : nil
        log = recovery.log
        commit = log.snapshot.index
        applied = log.snapshot.index
        isStateWithheld = log.snapshot.isStateWithheld
        recoveryProblem = recovery.problem
        durability.index = log.lastIndex
        durability.unsavedFrom = log.lastIndex + 1
        durability.term = term
        durability.vote = vote
    }

    // MARK: What the parent may ask

    public var isLeader: Bool { role == .leader }
    public var membership: Membership { log.membership }
    /// Where the membership comes from: an entry or the snapshot.
    public var membershipIndex: LogIndex { log.membershipIndex }
    public var lastIndex: LogIndex { log.lastIndex }
    /// Whether the entry at the latest membership change is not committed yet.
    public var isChangingMembership: Bool {
        log.membershipIndex > commit || log.membership.isJoint
    }
    /// Whether enough was applied since the last snapshot; the parent then calls `snapshotTaken`.
    public var wantsSnapshot: Bool {
        // A newer snapshot makes followers that receive this one begin again: give them time.
        let interval = configuration.snapshotInterval * (isSendingSnapshot ? 2 : 1)
        let isDue = applied >= log.snapshot.index + interval
        return (isDue || isSnapshotDue) && applied > log.snapshot.index
            && durability.snapshot == .saved && knowsMembers
    }

    /// A node that was added copies the log from its beginning, and knows of no group before the entry
    /// that adds it or another: a snapshot from there would hand on no membership.
    var knowsMembers: Bool { !log.membership(at: applied).voters.isEmpty }

    private var isSendingSnapshot: Bool {
        role == .leader
            && reign.followers.contains {
                $0.state == .snapshot && latest - $0.heard < configuration.electionTimeout
            }
    }
    /// The snapshot that the state machine begins with after a restart; `nil` for the empty state.
    public var recoveredSnapshot: (point: SnapshotPoint, state: Bytes)? {
        log.snapshot.index == 0 || isStateWithheld ? nil : (log.snapshot, log.state)
    }
    /// Whether the state machine has been given everything that was committed up to `applied`; not so
    /// on a witness.
    public var holdsState: Bool { !isStateWithheld }
    /// The term of an entry; `nil` where the log does not know it.
    public func entryTerm(at index: LogIndex) -> Term? { log.term(at: index) }

    // MARK: Inputs

    /// The node lives; always the first call.
    public mutating func start(at now: Instant, into effects: inout RaftEffects) {
        effects.report(
            .restarted(
                term: term,
                vote: vote,
                snapshot: log.snapshot.index,
                lastIndex: log.lastIndex,
                lastTerm: log.lastTerm
            )
        )
        if let recoveryProblem { effects.report(.contradiction(recoveryProblem)) }
        effects.report(.membership(index: log.membershipIndex, log.membership))
        // A voter that forgot it had heard a leader must not break the lease it gave.
        if configuration.leaseReads, term > 0 { leaderHeard = now }
        waitForLeader(at: now, into: &effects)
    }

    public mutating func fired(
        _ timer: RaftTimer,
        at now: Instant,
        into effects: inout RaftEffects
    ) {
        look(at: now)
        switch timer {
        case .election:
            isElectionTimerSet = false
            electionTimerFired(at: now, into: &effects)
        case .heartbeat:
            switch role {
            case .leader: beat(at: now, into: &effects)
            case .candidate, .preCandidate: askAgain(at: now, into: &effects)
            case .follower: break
            }
        }
        flush(at: now, into: &effects)
    }

    public mutating func received(
        _ message: consuming RaftMessage,
        from peer: NodeID,
        at now: Instant,
        into effects: inout RaftEffects
    ) {
        guard peer != node else { return }
        look(at: now)
        switch consume message {
        case .heartbeat(let heartbeat):
            hear(heartbeat, from: peer, at: now, into: &effects)
        case .heartbeatAnswer(let answer):
            guard isCurrent(answer.term, at: now, into: &effects) else { return }
            hear(answer, from: peer, at: now, into: &effects)
        case .append(let request):
            hear(request, from: peer, at: now, into: &effects)
        case .appendMatched(let term, let index):
            guard isCurrent(term, at: now, into: &effects) else { return }
            matched(index, by: peer, at: now, into: &effects)
        case .appendConflict(let conflict):
            guard isCurrent(conflict.term, at: now, into: &effects) else { return }
            conflicted(conflict, at: peer, at: now, into: &effects)
        case .voteRequest(let request):
            hear(request, from: peer, at: now, into: &effects)
        case .voteAnswer(let answer):
            hear(answer, from: peer, at: now, into: &effects)
        case .chunk(let chunk):
            hear(chunk, from: peer, at: now, into: &effects)
        case .chunkAnswer(let term, let index, let received):
            guard isCurrent(term, at: now, into: &effects) else { return }
            chunkArrived(index, received, at: peer, at: now, into: &effects)
        case .timeoutNow(let term):
            guard isCurrent(term, at: now, into: &effects) else { return }
            standAtOnce(at: now, into: &effects)
        case .readRequest(let term, let read):
            serveFollower(read, of: peer, term, at: now, into: &effects)
        case .readAnswer(let term, let read, let index):
            guard isCurrent(term, at: now, into: &effects) else { return }
            readAnswered(read, index, at: now, into: &effects)
        }
        flush(at: now, into: &effects)
    }

    private mutating func look(at now: Instant) {
        if now < latest { clockWentBack(at: now) } else { latest = now }
    }

    // MARK: Terms

    /// Whether an answer belongs to our term; a higher one ends whatever we were.
    mutating func isCurrent(
        _ other: Term,
        at now: Instant,
        into effects: inout RaftEffects
    ) -> Bool {
        if other > term {
            becomeFollower(other, leader: nil, .higherTerm, at: now, into: &effects)
            flush(at: now, into: &effects)
            return false
        }
        return other == term
    }

    mutating func enter(_ newTerm: Term, vote newVote: NodeID?, into effects: inout RaftEffects) {
        if newTerm != term { effects.report(.enteredTerm(newTerm)) }
        term = newTerm
        vote = newVote
        durability.isHardStateUnsaved = true
    }

    /// Follows a leader, or waits for one, in this term or a later one.
    mutating func becomeFollower(
        _ newTerm: Term,
        leader newLeader: NodeID?,
        _ reason: RaftFact.StepDownReason,
        at now: Instant,
        into effects: inout RaftEffects
    ) {
        let before = role
        if before == .leader { resign(reason, into: &effects) }
        if newTerm > term { enter(newTerm, vote: nil, into: &effects) }
        guard before != .follower || newLeader != leader else { return }
        role = .follower
        leader = newLeader
        incoming = nil
        if before != .follower {
            effects.cancelHeartbeat()
            waitForLeader(at: now, into: &effects)
        }
        if newLeader != nil || before != .follower {
            effects.report(.becameFollower(term: term, leader: newLeader))
        }
        failForwardedReads(into: &effects)
    }

    /// Begins a wait of a newly drawn length.
    mutating func waitForLeader(at now: Instant, into effects: inout RaftEffects) {
        waitingSince = now
        timeout = drawTimeout()
        setElectionTimer(at: now, into: &effects)
    }

    mutating func setElectionTimer(at now: Instant, into effects: inout RaftEffects) {
        guard !isElectionTimerSet else { return }
        isElectionTimerSet = true
        effects.append(.setTimer(.election, at: max(now, waitingSince + timeout)))
    }

    private mutating func drawTimeout() -> Interval {
        let range = configuration.electionTimeout...configuration.electionTimeoutLimit
        let steps = Int64(configuration.priorityLimit - configuration.priority)
        let drawn = random.interval(in: range) + configuration.priorityDelay * steps
        // Leases rest on the shortest timeout.
        guard !configuration.leaseReads, points.strikes("raft: election timeout cut short") else {
            return drawn
        }
        return drawn / 4
    }
}

extension RaftEffects {
    mutating func cancelHeartbeat() { append(.cancelTimer(.heartbeat)) }
}
