public import Machines
public import Raft
public import Units

/// A datagram, or the content of one frame on a stream: between replicas, or a client's.
public enum StoreMessage: WireMessage, Hashable {
    case raft(RaftMessage)
    // Out of line, so that messages between replicas, which are most, are small to move.
    /// A client's request; `attempt` names it, and comes back in the answer.
    indirect case request(attempt: UInt64, StoreQuestion)
    indirect case answer(attempt: UInt64, StoreAnswer)
}

/// What a client asks a replica.
public enum StoreQuestion: Hashable, Sendable {
    /// Open a session. Opening is not exactly-once: a repeated one leaves a session that nobody uses,
    /// which the table drops in time.
    case register
    /// Change the store, once per session and sequence, however often it is asked.
    /// `answered` sequences and all before will not be repeated.
    case update(session: UInt64, sequence: UInt64, answered: UInt64, StoreCommand)
    /// A linearizable read. A follower serves it after asking its leader, if `fromFollower`.
    case read(StoreCommand, fromFollower: Bool)
    case administer(StoreAdministration)
    /// Who takes part, as the leader knows it now: whoever orders a change looks first. The answer
    /// promises nothing, because the next change may be under way.
    case members
}

/// What an operator may ask of the group.
public enum StoreAdministration: Hashable, Sendable, Codable {
    case change(MembershipChange)
    case transferLeadership(to: NodeID)
}

public enum StoreAnswer: Hashable, Sendable {
    case registered(session: UInt64)
    case result(StoreResult)
    /// The group has begun to do what was administered.
    case accepted
    case refused(StoreRefusal)
    case members(Membership)
}

/// Why a replica does not answer the question.
public enum StoreRefusal: Hashable, Sendable {
    /// Ask that node, if one is named.
    case notLeader(NodeID?)
    /// Too much is pending; ask again later.
    case busy
    /// The leader was deposed before it knew the outcome: ask again, with the same sequence.
    case unknownOutcome
    /// The session is not or no longer known: what it left open has an unknown outcome.
    case noSession
    /// The sequence was answered before, or lies too far ahead.
    case staleSequence
    /// The change does not apply, or another one is under way.
    case notApplicable
}

extension StoreMessage {
    public func encode(into writer: inout WireWriter) {
        switch self {
        case .raft(let message):
            writer.write(UInt8(1))
            message.encode(into: &writer)
        case .request(let attempt, let question):
            writer.write(UInt8(2))
            writer.write(attempt)
            question.encode(into: &writer)
        case .answer(let attempt, let answer):
            writer.write(UInt8(3))
            writer.write(attempt)
            answer.encode(into: &writer)
        }
    }

    public init(from reader: inout WireReader) throws(WireError) {
        switch try reader.read(UInt8.self) {
        case 1: self = .raft(try RaftMessage(from: &reader))
        case 2:
            let attempt = try reader.read(UInt64.self)
            self = .request(attempt: attempt, try StoreQuestion(from: &reader))
        case 3:
            let attempt = try reader.read(UInt64.self)
            self = .answer(attempt: attempt, try StoreAnswer(from: &reader))
        case let kind: throw .malformed("a store message of unknown kind \(kind)")
        }
        try reader.expectEnd()
    }
}

extension StoreQuestion {
    func encode(into writer: inout WireWriter) {
        switch self {
        case .register: writer.write(UInt8(1))
        case .update(let session, let sequence, let answered, let command):
            writer.write(UInt8(2))
            writer.write(session)
            writer.write(sequence)
            writer.write(answered)
            command.encode(into: &writer)
        case .read(let command, let fromFollower):
            writer.write(UInt8(fromFollower ? 4 : 3))
            command.encode(into: &writer)
        case .administer(.transferLeadership(let target)):
            writer.write(UInt8(5))
            writer.write(target.rawValue)
        case .administer(.change(let change)):
            writer.write(UInt8(6))
            change.encode(into: &writer)
        case .members: writer.write(UInt8(7))
        }
    }

    init(from reader: inout WireReader) throws(WireError) {
        switch try reader.read(UInt8.self) {
        case 1: self = .register
        case 2:
            let session = try reader.read(UInt64.self)
            let sequence = try reader.read(UInt64.self)
            let answered = try reader.read(UInt64.self)
            let command = try StoreCommand(from: &reader)
            guard !command.isRead else { throw .malformed("an update that only reads") }
            self = .update(
                session: session,
                sequence: sequence,
                answered: answered,
                command
            )
        case 3: self = .read(try StoreQuestion.readCommand(from: &reader), fromFollower: false)
        case 4: self = .read(try StoreQuestion.readCommand(from: &reader), fromFollower: true)
        case 5: self = .administer(.transferLeadership(to: NodeID(try reader.read())))
        case 6: self = .administer(.change(try MembershipChange(from: &reader)))
        case 7: self = .members
        case let kind: throw .malformed("a question of unknown kind \(kind)")
        }
    }

    private static func readCommand(
        from reader: inout WireReader
    ) throws(WireError) -> StoreCommand {
        let command = try StoreCommand(from: &reader)
        guard command.isRead else { throw .malformed("a read that changes the store") }
        return command
    }
}

extension MembershipChange {
    func encode(into writer: inout WireWriter) {
        switch self {
        case .addVoter(let node):
            writer.write(UInt8(1))
            writer.write(node.rawValue)
        case .addLearner(let node):
            writer.write(UInt8(2))
            writer.write(node.rawValue)
        case .remove(let node):
            writer.write(UInt8(3))
            writer.write(node.rawValue)
        case .addWitness(let node):
            writer.write(UInt8(5))
            writer.write(node.rawValue)
        case .joint(let voters, let learners, let witnesses):
            writer.write(UInt8(4))
            for group in [voters, learners, witnesses] {
                writer.write(UInt8(group.count))
                for node in group { writer.write(node.rawValue) }
            }
        }
    }

    init(from reader: inout WireReader) throws(WireError) {
        switch try reader.read(UInt8.self) {
        case 1: self = .addVoter(NodeID(try reader.read()))
        case 2: self = .addLearner(NodeID(try reader.read()))
        case 3: self = .remove(NodeID(try reader.read()))
        case 4:
            let voters = try MembershipChange.nodes(from: &reader)
            let learners = try MembershipChange.nodes(from: &reader)
            self = .joint(
                voters: voters,
                learners: learners,
                witnesses: try MembershipChange.nodes(from: &reader)
            )
        case 5: self = .addWitness(NodeID(try reader.read()))
        case let kind: throw .malformed("a membership change of unknown kind \(kind)")
        }
    }

    private static func nodes(from reader: inout WireReader) throws(WireError) -> [NodeID] {
        let count = Int(try reader.read(UInt8.self))
        guard count <= Membership.limit else {
            throw .tooLarge(length: count, limit: Membership.limit)
        }
        var nodes: [NodeID] = []
        for _ in 0..<count { nodes.append(NodeID(try reader.read())) }
        return nodes
    }
}

extension StoreAnswer {
    func encode(into writer: inout WireWriter) {
        switch self {
        case .registered(let session):
            writer.write(UInt8(1))
            writer.write(session)
        case .result(let result):
            writer.write(UInt8(2))
            result.encode(into: &writer)
        case .accepted: writer.write(UInt8(3))
        case .refused(.notLeader(nil)): writer.write(UInt8(4))
        case .refused(.notLeader(let leader?)):
            writer.write(UInt8(5))
            writer.write(leader.rawValue)
        case .refused(.busy): writer.write(UInt8(6))
        case .refused(.unknownOutcome): writer.write(UInt8(7))
        case .refused(.noSession): writer.write(UInt8(8))
        case .refused(.staleSequence): writer.write(UInt8(9))
        case .refused(.notApplicable): writer.write(UInt8(10))
        case .members(let membership):
            writer.write(UInt8(11))
            membership.encode(into: &writer)
        }
    }

    init(from reader: inout WireReader) throws(WireError) {
        switch try reader.read(UInt8.self) {
        case 1: self = .registered(session: try reader.read())
        case 2: self = .result(try StoreResult(from: &reader))
        case 3: self = .accepted
        case 4: self = .refused(.notLeader(nil))
        case 5: self = .refused(.notLeader(NodeID(try reader.read())))
        case 6: self = .refused(.busy)
        case 7: self = .refused(.unknownOutcome)
        case 8: self = .refused(.noSession)
        case 9: self = .refused(.staleSequence)
        case 10: self = .refused(.notApplicable)
        case 11: self = .members(try Membership(from: &reader))
        case let kind: throw .malformed("an answer of unknown kind \(kind)")
        }
    }
}
