public import Machines
public import Units

/// Who takes part: voters, in a joint phase also the outgoing voters, and learners.
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

    /// - Throws: `RaftRefusal.invalidMembership` for one without voters, for a learner that votes, or
    ///   beyond the limit.
    public init(
        voters: [NodeID],
        outgoing: [NodeID] = [],
        learners: [NodeID] = []
    ) throws(RaftRefusal) {
        self.init(unchecked: voters, outgoing: outgoing, learners: learners)
        guard !voters.isEmpty, isValid else { throw .invalidMembership }
    }

    private init(unchecked voters: [NodeID], outgoing: [NodeID], learners: [NodeID]) {
        self.voters = Membership.normal(voters)
        self.outgoing = Membership.normal(outgoing)
        self.learners = Membership.normal(learners)
    }

    /// The membership of a node that has not been told of any.
    public static let none = Membership(unchecked: [], outgoing: [], learners: [])

    public var isJoint: Bool { !outgoing.isEmpty }

    private var isValid: Bool {
        guard voters.count + outgoing.count + learners.count <= Membership.limit else {
            return false
        }
        for learner in learners where voters.contains(learner) { return false }
        return true
    }

    public func isVoter(_ node: NodeID) -> Bool {
        voters.contains(node) || outgoing.contains(node)
    }

    public func contains(_ node: NodeID) -> Bool { isVoter(node) || learners.contains(node) }

    /// Everyone who receives the log, in order.
    public var members: [NodeID] { Membership.normal(voters + outgoing + learners) }

    /// What follows once a joint membership is committed: its `voters` alone.
    var afterJoint: Membership {
        Membership(unchecked: voters, outgoing: [], learners: learners)
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
                outgoing: [],
                learners: learners.filter { $0 != node }
            )
        case .addLearner(let node):
            guard !contains(node) else { throw .invalidMembership }
            next = Membership(unchecked: voters, outgoing: [], learners: learners + [node])
        case .remove(let node):
            guard contains(node) else { throw .invalidMembership }
            next = Membership(
                unchecked: voters.filter { $0 != node },
                outgoing: [],
                learners: learners.filter { $0 != node }
            )
        case .joint(let newVoters, let newLearners):
            next = Membership(unchecked: newVoters, outgoing: voters, learners: newLearners)
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
    /// One voter more; a learner is promoted.
    case addVoter(NodeID)
    case addLearner(NodeID)
    /// One voter or learner less.
    case remove(NodeID)
    /// Any other set of voters and learners, through a joint phase that the leader ends by itself.
    case joint(voters: [NodeID], learners: [NodeID])
}

extension Membership: WireMessage {
    public func encode(into writer: inout WireWriter) {
        for group in [voters, outgoing, learners] {
            writer.write(UInt8(group.count))
            for node in group { writer.write(node.rawValue) }
        }
    }

    public init(from reader: inout WireReader) throws(WireError) {
        var groups: [[NodeID]] = []
        for _ in 0..<3 {
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
        self.init(unchecked: groups[0], outgoing: groups[1], learners: groups[2])
        guard isValid else { throw .malformed("a membership that contradicts itself") }
    }
}
