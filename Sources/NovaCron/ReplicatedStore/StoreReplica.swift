public import Machines
public import Raft
public import Units

/// A replica of the key-value store: Raft, the state it replicates, and what carries its messages.
///
/// A root machine by itself, or a part of a larger program: `take` has the inputs of any
/// `StoreProgram`, `fired` its timers of the store, `requested` its orders. Clients' requests come as datagrams; messages between replicas as datagrams or over
/// streams. An update is answered when it is committed and applied here, a read when Raft has confirmed
/// it. Requests that wait are forgotten when the leader loses its office; clients ask again.
///
/// Bounds: those of `RaftConfiguration` and `StoreConfiguration`.
public struct StoreReplica<Rules: RaftRules>: Sendable {
    public let node: NodeID
    public let configuration: StoreConfiguration
    public private(set) var raft: RaftCore<Rules>
    public private(set) var state: StoreState
    private var effects = RaftEffects()
    private var streams: PeerStreams
    /// Proposals that wait to be applied, in order of their index.
    private var proposals: [Proposal] = []
    /// Reads that wait to be confirmed, in order of their name.
    private var reads: [PendingRead] = []
    /// Never used twice by this node, in no life: an answer may come after a restart.
    private var nextRead: UInt64
    /// A snapshot did not decode: reported once.
    private var foundUnreadable = false

    private struct Proposal {
        let index: LogIndex
        let term: Term
        let client: NodeID
        let attempt: UInt64
    }

    private struct PendingRead {
        let name: UInt64
        let client: NodeID
        let attempt: UInt64
        let command: StoreCommand
    }

    /// - Parameter bootstrap: the group to begin with, equal on all its replicas; `.none` for a node
    ///   that will be added later.
    public init<Program: StoreProgram>(
        _ birth: Birth<Program>,
        configuration: StoreConfiguration,
        bootstrap: Membership,
        rules: Rules
    ) {
        configuration.checkBounds()
        node = birth.node
        self.configuration = configuration
        raft = RaftCore(
            node: birth.node,
            seed: birth.seed,
            incarnation: birth.incarnation,
            configuration: configuration.raft,
            rules: rules,
            bootstrap: bootstrap,
            recovered: birth.recovered,
            points: birth.points
        )
        streams = PeerStreams(
            node: birth.node,
            incarnation: birth.incarnation,
            configuration: configuration
        )
        state = StoreState(configuration)
        nextRead = UInt64(birth.incarnation) << 32
        if let (_, bytes) = raft.recoveredSnapshot { restore(bytes) }
    }

    /// What this life has seen; see ``BiasedPoints``.
    public var biasedPoints: BiasedPoints { raft.points }

    // MARK: Inputs

    public mutating func take<Program: StoreProgram>(
        _ input: consuming Input<Program>,
        at now: Instant,
        into actions: inout Actions<Program>
    ) {
        switch consume input {
        case .received(let message, let peer):
            received(message, from: peer, at: now, into: &actions)
        case .persisted(let id):
            raft.persisted(id, at: now, into: &effects)
        case .started:
            raft.start(at: now, into: &effects)
        case .streamOpened(let stream, let peer):
            streams.opened(stream, peer, into: &actions)
        case .writable(let stream, let credit):
            streams.writable(stream, credit, into: &actions)
        case .readable(let stream, let bytes):
            readable(stream, bytes, at: now, into: &actions)
        case .finished(let stream):
            streams.finished(stream, at: now, into: &actions)
        case .reset(let stream, _):
            streams.broken(stream, at: now, into: &actions)
        // The program hands its own timers and requests to `fired` and `requested`.
        case .fired, .requested, .computed, .path:
            return
        }
        drain(at: now, into: &actions)
    }

    public mutating func fired<Program: StoreProgram>(
        _ timer: StoreTimer,
        at now: Instant,
        into actions: inout Actions<Program>
    ) {
        switch timer {
        case .raft(let timer): raft.fired(timer, at: now, into: &effects)
        case .reopen(let peer): streams.reopen(peer, at: now, into: &actions)
        case .client: return
        }
        drain(at: now, into: &actions)
    }

    public mutating func requested<Program: StoreProgram>(
        _ request: StoreRequest,
        at now: Instant,
        into actions: inout Actions<Program>
    ) {
        switch request {
        case .administer(let order):
            do throws(RaftRefusal) {
                try administer(order, at: now)
            } catch {
                actions.emit(Program.wrap(.refused(error)))
            }
        }
        drain(at: now, into: &actions)
    }

    public func checkInvariants() {
        raft.checkInvariants()
        streams.checkInvariants()
        for (left, right) in zip(proposals, proposals.dropFirst()) {
            precondition(left.index < right.index, "proposals out of order")
        }
        precondition(proposals.count <= configuration.raft.pendingProposals)
        precondition(reads.count <= configuration.raft.pendingReads)
    }

    // MARK: Messages

    private mutating func received<Program: StoreProgram>(
        _ message: consuming StoreMessage,
        from peer: NodeID,
        at now: Instant,
        into actions: inout Actions<Program>
    ) {
        switch consume message {
        case .raft(let message):
            // With streams, a datagram of a peer is none of ours.
            guard configuration.carrier == .datagrams else { return }
            raft.received(message, from: peer, at: now, into: &effects)
        case .request(let attempt, let question):
            answer(question, attempt, of: peer, at: now, into: &actions)
        case .answer:
            break
        }
    }

    private mutating func readable<Program: StoreProgram>(
        _ stream: StreamID,
        _ bytes: Bytes,
        at now: Instant,
        into actions: inout Actions<Program>
    ) {
        guard let peer = streams.take(bytes, from: stream, at: now, into: &actions) else { return }
        while let message = streams.nextMessage(from: peer, into: &actions) {
            raft.received(message, from: peer, at: now, into: &effects)
            drain(at: now, into: &actions)
        }
    }

    private mutating func answer<Program: StoreProgram>(
        _ question: consuming StoreQuestion,
        _ attempt: UInt64,
        of client: NodeID,
        at now: Instant,
        into actions: inout Actions<Program>
    ) {
        do throws(RaftRefusal) {
            switch consume question {
            case .register:
                try propose(.open, attempt, of: client, at: now)
            case .update(let session, let sequence, let answered, let command):
                try propose(
                    .update(session: session, sequence: sequence, answered: answered, command),
                    attempt,
                    of: client,
                    at: now
                )
            case .read(let command, let fromFollower):
                guard raft.isLeader || fromFollower else { throw .notLeader(raft.leader) }
                try read(command, attempt, of: client, at: now)
            case .administer(let order):
                try administer(order, at: now)
                actions.send(.answer(attempt: attempt, .accepted), to: client)
            case .members:
                guard raft.isLeader else { throw .notLeader(raft.leader) }
                let answer = StoreAnswer.members(raft.membership)
                actions.send(.answer(attempt: attempt, answer), to: client)
            }
        } catch {
            let refusal = StoreReplica.refusal(error)
            actions.send(.answer(attempt: attempt, .refused(refusal)), to: client)
        }
    }

    private mutating func propose(
        _ entry: StoreEntry,
        _ attempt: UInt64,
        of client: NodeID,
        at now: Instant
    ) throws(RaftRefusal) {
        let (index, term) = try raft.propose(entry.bytes, at: now, into: &effects)
        proposals.append(Proposal(index: index, term: term, client: client, attempt: attempt))
    }

    private mutating func read(
        _ command: StoreCommand,
        _ attempt: UInt64,
        of client: NodeID,
        at now: Instant
    ) throws(RaftRefusal) {
        guard reads.count < configuration.raft.pendingReads else { throw .busy }
        let name = nextRead
        nextRead += 1
        // Before asking: the answer may be among the effects already.
        reads.append(PendingRead(name: name, client: client, attempt: attempt, command: command))
        do throws(RaftRefusal) {
            try raft.read(name, at: now, into: &effects)
        } catch {
            reads.removeLast()
            throw error
        }
    }

    private mutating func administer(
        _ order: StoreAdministration,
        at now: Instant
    ) throws(RaftRefusal) {
        switch order {
        case .change(let change): try raft.change(change, at: now, into: &effects)
        case .transferLeadership(let target):
            try raft.transferLeadership(to: target, at: now, into: &effects)
        }
    }

    private static func refusal(_ refusal: RaftRefusal) -> StoreRefusal {
        switch refusal {
        case .notLeader(let leader): .notLeader(leader)
        case .busy, .transferring: .busy
        case .leadershipLost: .unknownOutcome
        case .tooLarge, .changeInProgress, .invalidMembership, .invalidTarget: .notApplicable
        }
    }

    // MARK: Effects

    /// Carries out what Raft wants done, and offers a snapshot when one is due.
    private mutating func drain<Program: StoreProgram>(
        at now: Instant,
        into actions: inout Actions<Program>
    ) {
        while let effect = effects.popFirst() {
            carryOut(consume effect, at: now, into: &actions)
            if effects.isEmpty, raft.wantsSnapshot {
                let bytes = state.encoded()[...]
                if raft.holdsState {
                    let digest = StoreState.digest(of: bytes)
                    actions.emit(Program.wrap(.stateDigest(index: raft.applied, digest: digest)))
                }
                raft.snapshotTaken(bytes, at: now, into: &effects)
            }
        }
        if foundUnreadable {
            foundUnreadable = false
            actions.emit(Program.wrap(.unreadableSnapshot(index: raft.applied)))
        }
    }

    private mutating func carryOut<Program: StoreProgram>(
        _ effect: consuming RaftEffect,
        at now: Instant,
        into actions: inout Actions<Program>
    ) {
        switch consume effect {
        case .send(let message, let peer):
            switch configuration.carrier {
            case .datagrams: actions.send(.raft(message), to: peer)
            case .streams: streams.send(message, to: peer, at: now, into: &actions)
            }
        case .setTimer(let timer, let time):
            actions.setTimer(Program.wrap(.raft(timer)), at: time)
        case .cancelTimer(let timer):
            actions.cancelTimer(Program.wrap(.raft(timer)))
        case .persist(let records, let id):
            actions.persist(records, id: id)
        case .apply(let entry, let index):
            apply(consume entry, at: index, into: &actions)
        case .restore(_, let bytes):
            restore(bytes)
            forgetProposals(into: &actions)
        case .readReady(let name):
            guard let place = reads.firstIndex(where: { $0.name == name }) else { return }
            let read = reads.remove(at: place)
            let result = state.read(read.command)
            actions.send(.answer(attempt: read.attempt, .result(result)), to: read.client)
        case .readFailed(let name):
            guard let place = reads.firstIndex(where: { $0.name == name }) else { return }
            let read = reads.remove(at: place)
            let refusal = StoreRefusal.notLeader(raft.leader)
            actions.send(.answer(attempt: read.attempt, .refused(refusal)), to: read.client)
        case .leadership(let isLeader, _):
            if !isLeader { forgetProposals(into: &actions) }
        case .report(let fact):
            actions.emit(Program.wrap(.raft(fact)))
        }
    }

    private mutating func apply<Program: StoreProgram>(
        _ entry: consuming LogEntry,
        at index: LogIndex,
        into actions: inout Actions<Program>
    ) {
        let term = entry.term
        var proposal: Proposal?
        if let first = proposals.first, first.index == index {
            proposal = proposals.removeFirst()
        }
        guard case .command(let command) = entry.content else { return }
        let outcome = state.apply(command, index: index, term: term, rules: raft.rules)
        let answer: StoreAnswer
        switch outcome {
        case .opened(let session): answer = .registered(session: session)
        case .executed(let session, let sequence, let result):
            if configuration.reportsExecutions {
                actions.emit(
                    Program.wrap(.executed(session: session, sequence: sequence, index: index))
                )
            }
            answer = .result(result)
        case .recognised(let session, let sequence, let result):
            raft.points.sometimes("store: update recognised")
            actions.emit(
                Program.wrap(.recognised(session: session, sequence: sequence, index: index))
            )
            answer = .result(result)
        case .refused(let refusal): answer = .refused(refusal)
        }
        guard let proposal, proposal.term == term else { return }
        actions.send(.answer(attempt: proposal.attempt, answer), to: proposal.client)
    }

    private mutating func restore(_ bytes: Bytes) {
        if let restored = try? StoreState(configuration, snapshot: bytes) {
            state = restored
        } else {
            // Bytes of a peer or a disk never trap; a replica without its state says so.
            state = StoreState(configuration)
            foundUnreadable = true
        }
    }

    private mutating func forgetProposals<Program: StoreProgram>(
        into actions: inout Actions<Program>
    ) {
        for proposal in proposals {
            actions.send(
                .answer(attempt: proposal.attempt, .refused(.unknownOutcome)),
                to: proposal.client
            )
        }
        proposals.removeAll()
    }
}

extension StoreReplica: StoreProgram {
    public typealias Message = StoreMessage
    public typealias Write = RaftRecord
    public typealias Timer = StoreTimer
    public typealias Event = StoreEvent
    public typealias Request = StoreRequest

    public static func wrap(_ timer: StoreTimer) -> StoreTimer { timer }
    public static func wrap(_ event: StoreEvent) -> StoreEvent { event }

    public var leadership: UInt64? { raft.isLeader ? raft.term : nil }
    /// The whole state as it is now, for those who compare replicas. Costs a snapshot.
    public var closingEvents: [StoreEvent] {
        let digest = raft.holdsState ? StoreState.digest(of: state.encoded()[...]) : nil
        return [.closingState(index: raft.applied, digest: digest)]
    }

    /// The replica as a whole node.
    public mutating func step(
        _ input: Input<StoreReplica>,
        at now: Instant,
        into actions: inout Actions<StoreReplica>
    ) {
        switch input {
        case .fired(let timer): fired(timer, at: now, into: &actions)
        case .requested(let request): requested(request, at: now, into: &actions)
        case .started, .received, .persisted, .computed, .streamOpened, .writable, .readable,
            .finished, .reset, .path:
            take(input, at: now, into: &actions)
        }
    }
}
