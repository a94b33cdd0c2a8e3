public import Measurements
public import Units

/// Holds every observation of a Raft group against the promises of Raft, as it comes.
///
/// An observation costs constant time, apart from changes of membership and restarts. Memory is
/// what lies above the oldest snapshot of any node, 16 bytes an entry and node.
///
/// A rule compares with what *all* nodes have told so far, so observations of the whole group come
/// in the order in which they happened.
public struct RaftInvariants: Sendable {
    /// The first violations, at most ``limit``.
    public private(set) var violations: [RaftViolation] = []
    /// All violations, by rule.
    public private(set) var counts: [RaftRule: UInt64] = [:]
    /// Observations so far.
    public private(set) var checked: UInt64 = 0
    /// Everything up to here is known to be committed by some node.
    public private(set) var committed: UInt64 = 0

    public static let limit = 64

    var nodes: [Node] = []
    private var slots: [UInt32: Int] = [:]
    /// Leaders by term, the recent ones.
    private var leaders: [UInt64: NodeID] = [:]
    private var newestTerm: UInt64 = 0
    /// How far was committed while this was the newest term with a leader; terms and indices ascend. A
    /// leader of an earlier term, which was elected and heard of it late, need not have it.
    private var commitEpochs: [(term: UInt64, index: UInt64)] = []
    /// How far leaders of these terms, or others before them, committed; terms and indices ascend.
    private var commitTerms: [(term: UInt64, index: UInt64)] = []
    /// The committed entries above the oldest snapshot.
    var committedMarks = IndexedWindow<RaftMark>()
    var appliedMarks = IndexedWindow<RaftMark>()
    /// What exists at each index: the first entry seen there, and others with other terms.
    private var known = IndexedWindow<Known>()
    /// The committed memberships, by ascending index.
    var committedMemberships: [KnownMembership] = []
    private var knownOthers: [OtherKey: Known] = [:]

    struct Node: Sendable {
        var id: NodeID
        var log = ShadowLog()
        var isAlive = false
        /// The term that it goes by, and the one that it leads; zero when it does not.
        var term: UInt64 = 0
        var leads: UInt64 = 0
        var votedTerm: UInt64 = 0
        var votedFor: NodeID?
        var committed: UInt64 = 0
        var applied: UInt64 = 0
        /// Slots of voters, and of the outgoing voters of a joint phase.
        var voters: [Int] = []
        var outgoing: [Int] = []
        var witnesses: [NodeID] = []
        var memberships = KnownMemberships()
    }

    private struct Known: Sendable {
        var mark: RaftMark
        var previousTerm: UInt64?
    }

    private struct OtherKey: Hashable, Sendable {
        var index: UInt64
        var term: UInt64
    }

    /// Where entries have to be in voters of two zones before they are committed, each node's zone.
    let zones: [NodeID: UInt32]

    public init(zones: [NodeID: UInt32] = [:]) {
        self.zones = zones
    }

    public var isClean: Bool { violations.isEmpty }

    /// What records of runs keep: one outcome a rule.
    public var outcomes: [InvariantOutcome] {
        RaftRule.allCases.map { rule in
            InvariantOutcome(
                name: "raft-\(rule.rawValue)",
                checked: checked,
                violations: violations.filter { $0.rule == rule }.map(\.recorded)
            )
        }
    }

    // MARK: - Observations

    public mutating func observe(
        _ observation: RaftObservation,
        at node: NodeID,
        time: Instant
    ) {
        checked += 1
        let slot = slot(of: node)
        checkOwedMembership(slot, observation, time)
        switch observation {
        case .recovered(let term, let snapshot, let snapshotTerm, let last, let lastTerm):
            if term < nodes[slot].votedTerm {
                report(
                    .termWentBack,
                    slot,
                    time,
                    [],
                    "term \(term), voted in \(nodes[slot].votedTerm)"
                )
            }
            nodes[slot].term = term
            recover(slot, snapshot, snapshotTerm, last, lastTerm, time)
        case .crashed:
            nodes[slot].isAlive = false
            nodes[slot].leads = 0
        case .lostDurable:
            nodes[slot].log.loseDurable()
            nodes[slot].votedTerm = 0
            nodes[slot].votedFor = nil
        case .enteredTerm(let term): nodes[slot].term = term
        case .voted(let term, let candidate): vote(slot, term, candidate, time)
        case .becameLeader(let term): lead(slot, term, time)
        case .ceasedToLead: nodes[slot].leads = 0
        case .appended(let index, let term, let digest):
            append(slot, index, RaftMark(term: term, digest: digest), time)
        case .truncated(let index): truncate(slot, index, time)
        case .persisted(let index, let term): nodes[slot].log.persist(upTo: index, term: term)
        case .committed(let index): commit(slot, index, time)
        case .applied(let index, let term, let digest):
            apply(slot, index, RaftMark(term: term, digest: digest), time)
        case .configuration(let index, let voters, let outgoing, let learners, let witnesses):
            let members = (voters.map { self.slot(of: $0) }, outgoing.map { self.slot(of: $0) })
            nodes[slot].voters = members.0
            nodes[slot].outgoing = members.1
            nodes[slot].witnesses = witnesses
            goBy(
                KnownMembership(
                    index: index,
                    voters: voters,
                    outgoing: outgoing,
                    learners: learners,
                    witnesses: witnesses
                ),
                slot,
                time
            )
        case .snapshotTaken(let index, let term):
            nodes[slot].log.takeSnapshot(upTo: index, term: term)
            forgetOld()
        case .snapshotInstalled(let index, let term): install(slot, index, term, time)
        }
    }

    private mutating func slot(of node: NodeID) -> Int {
        if let known = slots[node.rawValue] { return known }
        nodes.append(Node(id: node))
        slots[node.rawValue] = nodes.count - 1
        return nodes.count - 1
    }

    mutating func report(
        _ fault: RaftFault,
        _ slot: Int,
        _ time: Instant,
        _ indices: [UInt64],
        _ details: String
    ) {
        counts[fault.rule, default: 0] += 1
        guard violations.count < RaftInvariants.limit else { return }
        violations.append(
            RaftViolation(
                rule: fault.rule,
                time: time,
                node: nodes[slot].id,
                indices: indices,
                sentence: "\(nodes[slot].id): \(fault.rawValue) (\(details))",
                signature: fault.signature
            )
        )
    }

    // MARK: - Elections

    private mutating func vote(_ slot: Int, _ term: UInt64, _ candidate: NodeID, _ time: Instant) {
        let node = nodes[slot]
        if term == node.votedTerm, let before = node.votedFor, before != candidate {
            report(.votedTwice, slot, time, [], "term \(term), for \(before) and for \(candidate)")
        }
        nodes[slot].term = max(node.term, term)
        if term >= node.votedTerm {
            nodes[slot].votedTerm = term
            nodes[slot].votedFor = candidate
        }
    }

    private mutating func lead(_ slot: Int, _ term: UInt64, _ time: Instant) {
        let id = nodes[slot].id
        if let other = leaders[term], other != id {
            report(.twoLeaders, slot, time, [], "term \(term), \(other) led it before")
        }
        leaders[term] = id
        newestTerm = max(newestTerm, term)
        // Terms only grow, so leaders of long ago need no memory.
        if leaders.count > 4096 { leaders = leaders.filter { $0.key + 2048 > newestTerm } }
        nodes[slot].leads = term
        nodes[slot].term = max(nodes[slot].term, term)
        let earlier = commitEpochs.last { $0.term < term }
        if let earlier { checkCompleteness(slot, upTo: earlier.index, time) }
    }

    /// Whether a leader's log has what is committed. By log matching it is enough to look at the
    /// last committed entry.
    func completenessFault(_ log: ShadowLog, at index: UInt64) -> RaftFault? {
        guard index > log.base else { return nil }
        guard let own = log.entries[index] else { return .leaderLacksCommitted }
        guard let mark = committedMark(index), own != mark else { return nil }
        return .leaderDiffers
    }

    /// A committed entry; `nil` when it is not known any more.
    func committedMark(_ index: UInt64) -> RaftMark? {
        committedMarks[index].flatMap { $0.term > 0 ? $0 : nil }
    }

    /// - Parameter term: of the leader that committed it, or the newest one where none told.
    mutating func setCommitted(_ index: UInt64, by leader: UInt64) {
        committed = index
        let term = max(leader > 0 ? leader : newestTerm, commitTerms.last?.term ?? 0)
        if commitTerms.last?.term == term { commitTerms.removeLast() }
        commitTerms.append((term, index))
        if commitTerms.count > 4096 { commitTerms.removeFirst(2048) }
        if commitEpochs.last?.term == newestTerm { commitEpochs.removeLast() }
        commitEpochs.append((newestTerm, index))
        // A leader that hears of its election so late has long been voted out.
        if commitEpochs.count > 4096 { commitEpochs.removeFirst(2048) }
    }

    mutating func checkCompleteness(_ slot: Int, upTo index: UInt64, _ time: Instant) {
        let log = nodes[slot].log
        guard let fault = completenessFault(log, at: index) else { return }
        report(
            fault,
            slot,
            time,
            [index],
            "index \(index) is committed, its log ends at \(log.last), "
                + "it leads term \(nodes[slot].leads)"
        )
    }

    // MARK: - The log

    private mutating func append(_ slot: Int, _ index: UInt64, _ mark: RaftMark, _ time: Instant) {
        nodes[slot].term = max(nodes[slot].term, mark.term)
        let last = nodes[slot].log.last
        if index <= last {
            // What the node has already, or what lies in its snapshot, changes nothing.
            let own = nodes[slot].log.entries[index]
            if own == mark || index <= nodes[slot].log.base { return }
            if nodes[slot].leads > 0 {
                report(.leaderOverwrote, slot, time, [index, last], "index \(index) of \(last)")
            }
            truncate(slot, index, time)
        } else if index > last + 1 {
            report(.gap, slot, time, [last, index], "index \(index) after \(last)")
            return
        }
        let previousTerm = nodes[slot].log.term(at: index - 1)
        match(slot, index, mark, previousTerm, time)
        nodes[slot].log.append(mark)
    }

    /// Equal index and term mean equal entries and equal predecessors. Predecessors are compared by
    /// their term, which by the same rule stands for everything before them.
    private mutating func match(
        _ slot: Int,
        _ index: UInt64,
        _ mark: RaftMark,
        _ previousTerm: UInt64?,
        _ time: Instant
    ) {
        let new = Known(mark: mark, previousTerm: previousTerm)
        if index == known.last + 1 {
            known.append(new)
            return
        }
        guard let first = known[index] else { return }
        let other = OtherKey(index: index, term: mark.term)
        let found = first.mark.term == mark.term ? first : knownOthers[other]
        guard let found else {
            knownOthers[other] = new
            return
        }
        let place = "index \(index), term \(mark.term)"
        if found.mark.digest != mark.digest {
            report(.differentEntry, slot, time, [index], place)
        } else if let before = found.previousTerm, let own = previousTerm, before != own {
            report(
                .differentPast,
                slot,
                time,
                [index],
                "\(place), after terms \(before) and \(own)"
            )
        }
    }

    private mutating func truncate(_ slot: Int, _ index: UInt64, _ time: Instant) {
        let node = nodes[slot]
        guard index <= node.log.last, index > 0 else { return }
        // A copy that a node has by chance may go: a late message of a leader deposed before the entry was
        // committed is right to replace it, as long as the node has not heard of a later term.
        let isKept = commitTerms.first { $0.index >= index }.map { node.term >= $0.term } ?? true
        let isCommitted =
            isKept && committedMark(index).map { $0 == node.log.entries[index] } ?? false
        if node.leads > 0 {
            report(.leaderTruncated, slot, time, [index, node.log.last], "from \(index) on")
        }
        if index <= node.committed || isCommitted {
            let range = "from \(index) on, committed up to \(max(node.committed, index))"
            report(.committedTruncated, slot, time, [index], range)
        }
        // What is committed stays in the window's base, as the violation says that it should.
        let first = index <= node.committed ? max(index, node.log.base + 1) : index
        nodes[slot].log.truncate(from: first)
        nodes[slot].memberships.truncate(from: index)
    }

    private mutating func recover(
        _ slot: Int,
        _ snapshot: UInt64,
        _ snapshotTerm: UInt64?,
        _ last: UInt64,
        _ lastTerm: UInt64,
        _ time: Instant
    ) {
        let durable = nodes[slot].log.durable
        let fault = nodes[slot].log.recover(
            snapshot: snapshot,
            snapshotTerm: snapshotTerm,
            last: last,
            lastTerm: lastTerm
        )
        nodes[slot].isAlive = true
        nodes[slot].leads = 0
        nodes[slot].committed = min(nodes[slot].committed, snapshot)
        nodes[slot].applied = snapshot
        nodes[slot].memberships = KnownMemberships()
        guard let fault else { return }
        report(
            fault,
            slot,
            time,
            [last, durable].sorted(),
            "recovered up to \(last) of term \(lastTerm), durable up to \(durable)"
        )
    }

    /// Forgets what every node has in a snapshot.
    mutating func forgetOld() {
        guard let oldest = nodes.map(\.log.base).min() else { return }
        // The last entry below a snapshot is still compared with.
        guard oldest > known.base + 1024 else { return }
        known.drop(upTo: oldest - 1)
        committedMarks.drop(upTo: oldest - 1)
        appliedMarks.drop(upTo: oldest - 1)
        knownOthers = knownOthers.filter { $0.key.index >= oldest }
    }
}
