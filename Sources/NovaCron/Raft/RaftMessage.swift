public import Machines
public import Units

/// What replicas say to each other. Every message carries its sender's term.
///
/// Formats are little-endian and without padding; a kind byte, then the fields in order.
public enum RaftMessage: WireMessage, Hashable {
    /// The most entries of one append.
    public static let entryLimit = 4_096
    /// The most bytes of state in one chunk.
    public static let chunkLimit: Int64 = 1 << 20

    case voteRequest(VoteRequest)
    case voteAnswer(VoteAnswer)
    case append(AppendRequest)
    /// Everything up to `index` is as in the leader's log, and durable.
    case appendMatched(term: Term, index: LogIndex)
    case appendConflict(AppendConflict)
    case heartbeat(Heartbeat)
    case heartbeatAnswer(HeartbeatAnswer)
    // Out of line: it would make every message as large as itself.
    indirect case chunk(SnapshotChunk)
    /// The first `received` bytes of the snapshot at `index` are here.
    case chunkAnswer(term: Term, index: LogIndex, received: UInt64)
    /// Stand for election at once: the leader hands over (dissertation, section 3.10).
    case timeoutNow(term: Term)
    /// A follower asks from which index on it may read (dissertation, section 6.4).
    case readRequest(term: Term, read: UInt64)
    /// The answer; without an index the read has to be asked again.
    case readAnswer(term: Term, read: UInt64, index: LogIndex?)

    public var term: Term {
        switch self {
        case .voteRequest(let request): request.term
        case .voteAnswer(let answer): answer.term
        case .append(let request): request.term
        case .appendConflict(let conflict): conflict.term
        case .heartbeat(let heartbeat): heartbeat.term
        case .heartbeatAnswer(let answer): answer.term
        case .chunk(let chunk): chunk.term
        case .appendMatched(let term, _), .chunkAnswer(let term, _, _), .timeoutNow(let term),
            .readRequest(let term, _), .readAnswer(let term, _, _):
            term
        }
    }
}

public struct VoteRequest: Hashable, Sendable {
    /// For a pre-vote the term that the candidate would enter.
    public var term: Term
    public var lastIndex: LogIndex
    public var lastTerm: Term
    public var isPreVote: Bool
    /// The leader asked for this election: voters that hear it do not turn the candidate away.
    public var isTransfer: Bool

    public init(
        term: Term,
        lastIndex: LogIndex,
        lastTerm: Term,
        isPreVote: Bool,
        isTransfer: Bool
    ) {
        self.term = term
        self.lastIndex = lastIndex
        self.lastTerm = lastTerm
        self.isPreVote = isPreVote
        self.isTransfer = isTransfer
    }
}

public struct VoteAnswer: Hashable, Sendable {
    /// Of a granted pre-vote the term asked for, otherwise the voter's own.
    public var term: Term
    public var isGranted: Bool
    public var isPreVote: Bool

    public init(term: Term, isGranted: Bool, isPreVote: Bool) {
        self.term = term
        self.isGranted = isGranted
        self.isPreVote = isPreVote
    }
}

public struct AppendRequest: Hashable, Sendable {
    public var term: Term
    public var previousIndex: LogIndex
    public var previousTerm: Term
    public var commit: LogIndex
    public var entries: [LogEntry]

    public init(
        term: Term,
        previousIndex: LogIndex,
        previousTerm: Term,
        commit: LogIndex,
        entries: [LogEntry]
    ) {
        self.term = term
        self.previousIndex = previousIndex
        self.previousTerm = previousTerm
        self.commit = commit
        self.entries = entries
    }
}

/// The follower's log differs at `previousIndex`. The hint is the follower's last entry at or before it
/// whose term is not above the one that was asked for: the logs cannot agree between the two.
public struct AppendConflict: Hashable, Sendable {
    public var term: Term
    public var previousIndex: LogIndex
    public var hintIndex: LogIndex
    public var hintTerm: Term

    public init(term: Term, previousIndex: LogIndex, hintIndex: LogIndex, hintTerm: Term) {
        self.term = term
        self.previousIndex = previousIndex
        self.hintIndex = hintIndex
        self.hintTerm = hintTerm
    }
}

public struct Heartbeat: Hashable, Sendable {
    public var term: Term
    /// Never beyond what the follower has acknowledged.
    public var commit: LogIndex
    /// The leader's latest round of reads; the answer repeats it.
    public var round: UInt64
    /// The leader's own clock when it sent this; the answer repeats it, nobody else reads it.
    public var sent: Instant

    public init(term: Term, commit: LogIndex, round: UInt64, sent: Instant) {
        self.term = term
        self.commit = commit
        self.round = round
        self.sent = sent
    }
}

public struct HeartbeatAnswer: Hashable, Sendable {
    public var term: Term
    public var round: UInt64
    public var sent: Instant

    public init(term: Term, round: UInt64, sent: Instant) {
        self.term = term
        self.round = round
        self.sent = sent
    }
}

/// The log up to a place, replaced by the state it leads to.
public struct SnapshotPoint: Hashable, Sendable {
    public var index: LogIndex
    public var term: Term
    /// In effect at `index`.
    public var membership: Membership
    /// A witness's: it stands for the place alone, and its state is empty.
    public var isStateWithheld: Bool

    public init(
        index: LogIndex,
        term: Term,
        membership: Membership,
        isStateWithheld: Bool = false
    ) {
        self.index = index
        self.term = term
        self.membership = membership
        self.isStateWithheld = isStateWithheld
    }

    /// Before everything.
    static let origin = SnapshotPoint(index: 0, term: 0, membership: .none)
}

public struct SnapshotChunk: Hashable, Sendable {
    public var term: Term
    public var point: SnapshotPoint
    public var offset: UInt64
    public var total: UInt64
    public var bytes: Bytes

    public init(term: Term, point: SnapshotPoint, offset: UInt64, total: UInt64, bytes: Bytes) {
        self.term = term
        self.point = point
        self.offset = offset
        self.total = total
        self.bytes = bytes
    }
}

extension RaftMessage {
    public func encode(into writer: inout WireWriter) {
        switch self {
        case .voteRequest(let request):
            writer.write(UInt8(1))
            writer.write(request.term)
            writer.write(request.lastIndex)
            writer.write(request.lastTerm)
            writer.write(UInt8(request.isPreVote ? 1 : 0) | (request.isTransfer ? 2 : 0))
        case .voteAnswer(let answer):
            writer.write(UInt8(2))
            writer.write(answer.term)
            writer.write(UInt8(answer.isGranted ? 1 : 0) | (answer.isPreVote ? 2 : 0))
        case .append(let request):
            writer.write(UInt8(3))
            writer.write(request.term)
            writer.write(request.previousIndex)
            writer.write(request.previousTerm)
            writer.write(request.commit)
            LogEntry.encode(request.entries, into: &writer)
        case .appendMatched(let term, let index):
            writer.write(UInt8(4))
            writer.write(term)
            writer.write(index)
        case .appendConflict(let conflict):
            writer.write(UInt8(5))
            writer.write(conflict.term)
            writer.write(conflict.previousIndex)
            writer.write(conflict.hintIndex)
            writer.write(conflict.hintTerm)
        case .heartbeat(let heartbeat):
            writer.write(UInt8(6))
            writer.write(heartbeat.term)
            writer.write(heartbeat.commit)
            writer.write(heartbeat.round)
            writer.write(heartbeat.sent.nanoseconds)
        case .heartbeatAnswer(let answer):
            writer.write(UInt8(7))
            writer.write(answer.term)
            writer.write(answer.round)
            writer.write(answer.sent.nanoseconds)
        default:
            encodeRare(into: &writer)
        }
    }

    private func encodeRare(into writer: inout WireWriter) {
        switch self {
        case .chunk(let chunk):
            writer.write(UInt8(8))
            writer.write(chunk.term)
            chunk.point.encode(into: &writer)
            writer.write(chunk.offset)
            writer.write(chunk.total)
            writer.write(lengthPrefixed: chunk.bytes)
        case .chunkAnswer(let term, let index, let received):
            writer.write(UInt8(9))
            writer.write(term)
            writer.write(index)
            writer.write(received)
        case .timeoutNow(let term):
            writer.write(UInt8(10))
            writer.write(term)
        case .readRequest(let term, let read):
            writer.write(UInt8(11))
            writer.write(term)
            writer.write(read)
        case .readAnswer(let term, let read, let index):
            writer.write(UInt8(index == nil ? 12 : 13))
            writer.write(term)
            writer.write(read)
            if let index { writer.write(index) }
        case .voteRequest, .voteAnswer, .append, .appendMatched, .appendConflict, .heartbeat,
            .heartbeatAnswer:
            preconditionFailure("encoded by the caller")
        }
    }

    public init(from reader: inout WireReader) throws(WireError) {
        let kind = try reader.read(UInt8.self)
        let term = try reader.read(Term.self)
        switch kind {
        case 1:
            let lastIndex = try reader.read(LogIndex.self)
            let lastTerm = try reader.read(Term.self)
            let flags = try RaftMessage.flags(from: &reader)
            self = .voteRequest(
                VoteRequest(
                    term: term,
                    lastIndex: lastIndex,
                    lastTerm: lastTerm,
                    isPreVote: flags & 1 != 0,
                    isTransfer: flags & 2 != 0
                )
            )
        case 2:
            let flags = try RaftMessage.flags(from: &reader)
            self = .voteAnswer(
                VoteAnswer(term: term, isGranted: flags & 1 != 0, isPreVote: flags & 2 != 0)
            )
        case 3:
            self = .append(try AppendRequest(term: term, from: &reader))
        case 4:
            self = .appendMatched(term: term, index: try reader.read())
        case 5:
            self = .appendConflict(
                AppendConflict(
                    term: term,
                    previousIndex: try reader.read(),
                    hintIndex: try reader.read(),
                    hintTerm: try reader.read()
                )
            )
        case 6:
            self = .heartbeat(
                Heartbeat(
                    term: term,
                    commit: try reader.read(),
                    round: try reader.read(),
                    sent: Instant(nanoseconds: try reader.read())
                )
            )
        case 7:
            self = .heartbeatAnswer(
                HeartbeatAnswer(
                    term: term,
                    round: try reader.read(),
                    sent: Instant(nanoseconds: try reader.read())
                )
            )
        default:
            self = try RaftMessage.decodeRare(kind, term, from: &reader)
        }
        try reader.expectEnd()
    }

    private static func decodeRare(
        _ kind: UInt8,
        _ term: Term,
        from reader: inout WireReader
    ) throws(WireError) -> RaftMessage {
        switch kind {
        case 8: return .chunk(try SnapshotChunk(term: term, from: &reader))
        case 9:
            return .chunkAnswer(
                term: term,
                index: try reader.read(),
                received: try reader.read()
            )
        case 10: return .timeoutNow(term: term)
        case 11: return .readRequest(term: term, read: try reader.read())
        case 12: return .readAnswer(term: term, read: try reader.read(), index: nil)
        case 13:
            return .readAnswer(term: term, read: try reader.read(), index: try reader.read())
        default: throw .malformed("a Raft message of unknown kind \(kind)")
        }
    }

    private static func flags(from reader: inout WireReader) throws(WireError) -> UInt8 {
        let flags = try reader.read(UInt8.self)
        guard flags < 4 else { throw .malformed("unknown flags \(flags)") }
        return flags
    }
}

extension AppendRequest {
    fileprivate init(term: Term, from reader: inout WireReader) throws(WireError) {
        self.term = term
        previousIndex = try reader.read()
        previousTerm = try reader.read()
        commit = try reader.read()
        entries = try LogEntry.decodeList(from: &reader)
        guard entries.count <= RaftMessage.entryLimit else {
            throw .tooLarge(length: entries.count, limit: RaftMessage.entryLimit)
        }
        guard previousIndex <= LogIndex.max / 2 else {
            throw .malformed("an index of \(previousIndex)")
        }
    }
}

extension SnapshotPoint {
    func encode(into writer: inout WireWriter) {
        writer.write(index)
        writer.write(term)
        membership.encode(into: &writer)
        writer.write(UInt8(isStateWithheld ? 1 : 0))
    }

    init(from reader: inout WireReader) throws(WireError) {
        index = try reader.read()
        term = try reader.read()
        membership = try Membership(from: &reader)
        let flag = try reader.read(UInt8.self)
        guard flag < 2 else { throw .malformed("unknown flags \(flag)") }
        isStateWithheld = flag == 1
        guard index <= LogIndex.max / 2 else { throw .malformed("an index of \(index)") }
    }
}

extension SnapshotChunk {
    fileprivate init(term: Term, from reader: inout WireReader) throws(WireError) {
        self.term = term
        point = try SnapshotPoint(from: &reader)
        offset = try reader.read()
        total = try reader.read()
        bytes = try reader.readLengthPrefixed(limit: Int(RaftMessage.chunkLimit))
        guard offset <= total, UInt64(bytes.count) <= total - offset else {
            throw .malformed("\(bytes.count) bytes at \(offset) of \(total)")
        }
        guard total == 0 || !point.isStateWithheld else {
            throw .malformed("\(total) bytes of a state that is withheld")
        }
    }
}
