public import Machines
public import Raft
import Determinism

/// The replicated state: keys and values, and the sessions of clients.
///
/// A pure function of the log: no clock, no randomness, no identity of the replica.
public struct StoreState: Hashable, Sendable {
    public private(set) var table: KeyValueTable
    private var sessions: SessionTable

    /// What applying an entry led to.
    public enum Outcome: Hashable, Sendable {
        case opened(session: UInt64)
        case executed(session: UInt64, sequence: UInt64, StoreResult)
        /// The update had been executed before: its first result.
        case recognised(session: UInt64, sequence: UInt64, StoreResult)
        case refused(StoreRefusal)
    }

    public init(_ configuration: StoreConfiguration) {
        table = KeyValueTable(limit: configuration.dataLimit)
        sessions = SessionTable(
            limit: configuration.sessionLimit,
            window: configuration.sessionWindow
        )
    }

    public func read(_ command: StoreCommand) -> StoreResult { table.read(command) }

    /// Applies the command of a committed entry. Bytes that mean nothing change nothing.
    public mutating func apply<Rules: RaftRules>(
        _ command: Bytes,
        index: LogIndex,
        term: Term,
        rules: Rules
    ) -> Outcome {
        var reader = WireReader(command)
        guard let entry = try? StoreEntry(from: &reader) else { return .refused(.notApplicable) }
        switch entry {
        case .open:
            sessions.open(index)
            return .opened(session: index)
        case .update(let session, let sequence, let answered, let command):
            let found = sessions.look(
                up: session,
                sequence: sequence,
                answered: answered,
                at: index
            )
            switch found {
            case .noSession: return .refused(.noSession)
            case .stale: return .refused(.staleSequence)
            case .known(_, let known)
            where rules.recognisesRetry(appliedIn: known.term, repeatedIn: term):
                return .recognised(session: session, sequence: sequence, known.result)
            case .fresh(let place), .known(let place, _):
                let result = table.execute(command)
                sessions.remember(
                    SessionTable.Remembered(sequence: sequence, term: term, result: result),
                    at: place
                )
                return .executed(session: session, sequence: sequence, result)
            }
        }
    }

    // MARK: Snapshots

    public func encoded() -> [UInt8] {
        var writer = WireWriter(reserving: table.size + 1_024)
        table.encode(into: &writer)
        sessions.encode(into: &writer)
        return writer.finished()
    }

    public init(_ configuration: StoreConfiguration, snapshot: Bytes) throws(WireError) {
        var reader = WireReader(snapshot)
        table = try KeyValueTable(limit: configuration.dataLimit, from: &reader)
        sessions = try SessionTable(
            limit: configuration.sessionLimit,
            window: configuration.sessionWindow,
            from: &reader
        )
        try reader.expectEnd()
    }

    static func digest(of snapshot: Bytes) -> UInt64 {
        var chain = HashChain()
        chain.combine(bytes: snapshot)
        return chain.fingerprint.low
    }
}

/// A command as it lies in the log.
enum StoreEntry: Hashable, Sendable {
    case open
    case update(session: UInt64, sequence: UInt64, answered: UInt64, StoreCommand)

    var bytes: Bytes {
        // Exactly: the log keeps what is reserved.
        var writer: WireWriter
        switch self {
        case .open:
            writer = WireWriter(reserving: 1)
            writer.write(UInt8(1))
        case .update(let session, let sequence, let answered, let command):
            writer = WireWriter(reserving: 25 + command.encodedLength)
            writer.write(UInt8(2))
            writer.write(session)
            writer.write(sequence)
            writer.write(answered)
            command.encode(into: &writer)
        }
        return writer.slice
    }

    init(from reader: inout WireReader) throws(WireError) {
        switch try reader.read(UInt8.self) {
        case 1: self = .open
        case 2:
            let session = try reader.read(UInt64.self)
            let sequence = try reader.read(UInt64.self)
            let answered = try reader.read(UInt64.self)
            self = .update(
                session: session,
                sequence: sequence,
                answered: answered,
                try StoreCommand(from: &reader)
            )
        case let kind: throw .malformed("an entry of unknown kind \(kind)")
        }
        try reader.expectEnd()
    }
}
