public import Machines
public import Units

/// What a replica makes durable, in this order.
public enum RaftRecord: DurableRecord, Hashable {
    /// The largest state of a snapshot, in bytes.
    public static let stateLimit: Int64 = 1 << 30

    case hardState(term: Term, vote: NodeID?)
    /// Entries from here to the end are void.
    case truncate(from: LogIndex)
    /// Entries from `first` on; whatever the log had there or behind is void.
    case entries(first: LogIndex, [LogEntry])
    /// Everything up to the point, as state. It is the first record of a batch that also repeats the
    /// hard state and all entries behind the point: nothing older than the batch is needed then.
    case snapshot(SnapshotPoint, state: Bytes)

    /// A snapshot's batch says all that earlier records said.
    public var supersedesEarlier: Bool {
        if case .snapshot = self { true } else { false }
    }

    public func encode(into writer: inout WireWriter) {
        switch self {
        case .hardState(let term, let vote):
            writer.write(UInt8(vote == nil ? 1 : 2))
            writer.write(term)
            if let vote { writer.write(vote.rawValue) }
        case .truncate(let index):
            writer.write(UInt8(3))
            writer.write(index)
        case .entries(let first, let entries):
            writer.write(UInt8(4))
            writer.write(first)
            LogEntry.encode(entries, into: &writer)
        case .snapshot(let point, let state):
            writer.write(UInt8(5))
            point.encode(into: &writer)
            writer.write(lengthPrefixed: state)
        }
    }

    public init(from reader: inout WireReader) throws(WireError) {
        switch try reader.read(UInt8.self) {
        case 1: self = .hardState(term: try reader.read(), vote: nil)
        case 2:
            let term = try reader.read(Term.self)
            self = .hardState(term: term, vote: NodeID(try reader.read()))
        case 3: self = .truncate(from: try reader.read())
        case 4:
            let first = try reader.read(LogIndex.self)
            guard first > 0, first <= LogIndex.max / 2 else {
                throw .malformed("entries from \(first) on")
            }
            self = .entries(first: first, try LogEntry.decodeList(from: &reader))
        case 5:
            let point = try SnapshotPoint(from: &reader)
            let state = try reader.readLengthPrefixed(limit: Int(RaftRecord.stateLimit))
            guard state.isEmpty || !point.isStateWithheld else {
                throw .malformed("\(state.count) bytes of a state that is withheld")
            }
            self = .snapshot(point, state: state)
        case let kind: throw .malformed("a record of unknown kind \(kind)")
        }
        try reader.expectEnd()
    }
}
