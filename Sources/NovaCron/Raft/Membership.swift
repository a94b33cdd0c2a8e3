public import Machines
public import Units

/// Who takes part: voters, in a joint phase also the outgoing voters, and learners. Some voters may be
/// witnesses: they vote and acknowledge places of the log, but hold no commands and no state.
///
/// In effect from the moment it is appended (Ongaro, "Consensus: Bridging Theory and Practice", 2014,
/// section 4.1). A joint membership (section 4.3) decides by majorities of both `voters` and
/// `outgoing`. Arrays are sorted and without repetition; at most `Membership.limit` nodes in all.
public struct Membership: Hashable, Sendable, Codable {
    /// The most nodes that a membership names.
    public static let limit = 64

    public private(set) var voters: [NodeID]
    /// The voters of before, while two majorities decide; empty otherwise.
    public private(set) var outgoing: [NodeID]
    /// Nodes that receive the log and neither vote nor count.
    public private(set) var learners: [NodeID]
    /// Those of the voters, old and new, that never lead and are sent entries without commands.
    public private(set) var witnesses: [NodeID]

    /// - Throws: `RaftRefusal.invalidMembership` for one without voters, for a learner that votes, a
    ///   witness that does not, witnesses that are not a minority, or beyond the limit.
    public init(
        voters: [NodeID],
        outgoing: [NodeID] = [],
        learners: [NodeID] = [],
        witnesses: [NodeID] = []
    ) throws(RaftRefusal) {
        self.init(
            unchecked: voters,
            outgoing: outgoing,
            learners: learners,
            witnesses: witnesses
        )
        guard !voters.isEmpty, isValid else { throw .invalidMembership }
    }

    private init(
        unchecked voters: [NodeID],
        outgoing: [NodeID] = [],
        learners: [NodeID],
        witnesses: [NodeID]
    ) {
        self.voters = Membership.normal(voters)
        self.outgoing = Membership.normal(outgoing)
        self.learners = Membership.normal(learners)
        self.witnesses = Membership.normal(witnesses)
    }

    /// The membership of a node that has not been told of any.
    public static let none = Membership(unchecked: [], learners: [], witnesses: [])

    public var isJoint: Bool { !outgoing.isEmpty }

    private var isValid: Bool {
        guard voters.count + outgoing.count + learners.count <= Membership.limit else {
            return false
        }
        for learner in learners where voters.contains(learner) { return false }
        for witness in witnesses where !isVoter(witness) || learners.contains(witness) {
            return false
        }
        return canDoWithoutWitnesses(voters) && canDoWithoutWitnesses(outgoing)
    }

    /// A witness may be ahead of all who can lead, with an entry that nobody else kept. As long as the
    /// others are a majority, they go on without its vote.
    private func canDoWithoutWitnesses(_ group: [NodeID]) -> Bool {
        group.isEmpty || 2 * group.count(where: isWitness) < group.count
    }

    public func isVoter(_ node: NodeID) -> Bool {
        voters.contains(node) || outgoing.contains(node)
    }

    public func isWitness(_ node: NodeID) -> Bool { witnesses.contains(node) }

    /// Whether the node may stand for election.
    func mayLead(_ node: NodeID) -> Bool { isVoter(node) && !isWitness(node) }

    public func contains(_ node: NodeID) -> Bool { isVoter(node) || learners.contains(node) }

    /// Everyone who receives the log, in order.
    public var members: [NodeID] { Membership.normal(voters + outgoing + learners) }

    /// What follows once a joint membership is committed: its `voters` alone.
    var afterJoint: Membership {
        Membership(unchecked: voters, learners: learners, witnesses: witnesses(among: voters))
    }

    private func witnesses(among nodes: [NodeID]) -> [NodeID] {
        witnesses.filter { nodes.contains($0) }
    }

    /// The membership that a change leads to.
    ///
    /// - Throws: `RaftRefusal.invalidMembership` for a change that does not apply here.
    public func applying(_ change: MembershipChange) throws(RaftRefusal) -> Membership {
        guard !isJoint else { throw .changeInProgress }
        let next: Membership
        switch change {
        case .addVoter(let node):
            guard !voters.contains(node) else { throw .invalidMembership }
            next = Membership(
                unchecked: voters + [node],
                learners: learners.filter { $0 != node },
                witnesses: witnesses
            )
        case .addWitness(let node):
            // A learner holds commands already: it becomes a voter.
            guard !contains(node) else { throw .invalidMembership }
            next = Membership(
                unchecked: voters + [node],
                learners: learners,
                witnesses: witnesses + [node]
            )
        case .addLearner(let node):
            guard !contains(node) else { throw .invalidMembership }
            next = Membership(
                unchecked: voters,
                learners: learners + [node],
                witnesses: witnesses
            )
        case .remove(let node):
            guard contains(node) else { throw .invalidMembership }
            let rest = voters.filter { $0 != node }
            next = Membership(
                unchecked: rest,
                learners: learners.filter { $0 != node },
                witnesses: witnesses(among: rest)
            )
        case .joint(let newVoters, let newLearners, let newWitnesses):
            for voter in newVoters where contains(voter) {
                guard isWitness(voter) == newWitnesses.contains(voter) else {
                    throw .invalidMembership
                }
            }
            guard newWitnesses.allSatisfy(newVoters.contains) else { throw .invalidMembership }
            next = Membership(
                unchecked: newVoters,
                outgoing: voters,
                learners: newLearners,
                witnesses: witnesses + newWitnesses
            )
            guard Membership.normal(newVoters) != voters || next.learners != learners else {
                throw .invalidMembership
            }
        }
        guard !next.voters.isEmpty, next.isValid else { throw .invalidMembership }
        return next
    }

    private static func normal(_ nodes: [NodeID]) -> [NodeID] {
        var result: [NodeID] = []
        for node in nodes.sorted() where result.last != node { result.append(node) }
        return result
    }
}

/// A change of the membership that a leader is asked for.
public enum MembershipChange: Hashable, Sendable, Codable {
    /// One voter more; a learner is promoted. A node that was a witness must have lost its disk: it lacks
    /// commands and acknowledges nothing until then.
    case addVoter(NodeID)
    case addLearner(NodeID)
    /// One voter more that holds no commands. It must be new to the group, or have lost its disk.
    case addWitness(NodeID)
    /// One voter or learner less.
    case remove(NodeID)
    /// Any other set of voters and learners, through a joint phase that the leader ends by itself.
    /// `witnesses` are those of the new voters that hold no commands; who stays stays what it was.
    case joint(voters: [NodeID], learners: [NodeID], witnesses: [NodeID] = [])
}

extension Membership: WireMessage {
    public func encode(into writer: inout WireWriter) {
        for group in [voters, outgoing, learners, witnesses] {
            writer.write(UInt8(group.count))
            for node in group { writer.write(node.rawValue) }
        }
    }

    public init(from reader: inout WireReader) throws(WireError) {
        var groups: [[NodeID]] = []
        for _ in 0..<4 {
            let count = Int(try reader.read(UInt8.self))
            guard count <= Membership.limit else {
                throw .tooLarge(length: count, limit: Membership.limit)
            }
            var nodes: [NodeID] = []
            for _ in 0..<count { nodes.append(NodeID(try reader.read())) }
            for (left, right) in zip(nodes, nodes.dropFirst()) where left >= right {
                throw .malformed("members are not in order")
            }
            groups.append(nodes)
        }
        self.init(
            unchecked: groups[0],
            outgoing: groups[1],
            learners: groups[2],
            witnesses: groups[3]
        )
        guard isValid else { throw .malformed("a membership that contradicts itself") }
    }
}
