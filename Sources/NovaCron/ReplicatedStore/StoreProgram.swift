public import Machines
public import Raft
public import Units

/// A root machine that holds a replica, a client, or both: what their steps need to know of it.
///
/// `StoreReplica` is one itself, for nodes that are nothing else; an experiment makes its own, with the
/// timers and events of its workload beside those of the store.
public protocol StoreProgram: Machine
where Message == StoreMessage, Write == RaftRecord, Job == NoWork {
    static func wrap(_ timer: StoreTimer) -> Timer
    static func wrap(_ event: StoreEvent) -> Event
}

/// Timers of replicas and clients.
public enum StoreTimer: Hashable, Sendable {
    case raft(RaftTimer)
    /// A stream to this peer may be opened again.
    case reopen(NodeID)
    /// A client's next retry or deadline.
    case client
}

/// What replicas and clients report.
public enum StoreEvent: Hashable, Sendable, Codable {
    /// A replica's log, terms, votes and memberships, for checkers.
    case raft(RaftFact)
    /// A replica executed an update of a session at this index.
    case executed(session: UInt64, sequence: UInt64, index: LogIndex)
    /// A replica met an update again and gave the first answer.
    case recognised(session: UInt64, sequence: UInt64, index: LogIndex)
    /// The digest of a replica's whole state after this index, told with every snapshot.
    case stateDigest(index: LogIndex, digest: UInt64)
    /// How far a replica is at the end of a run, and the digest of its whole state; a witness has none.
    case closingState(index: LogIndex, digest: UInt64?)
    /// A snapshot that was recovered or installed does not decode; the replica's state is empty.
    case unreadableSnapshot(index: LogIndex)
    /// A local request was refused.
    case refused(RaftRefusal)
    /// A client's session was opened; its updates go out.
    case sessionOpened(UInt64)
    /// A client's operation is over.
    indirect case completed(operation: UInt64, StoreOutcome, attempts: UInt32)
}

/// How a client's operation ended.
public enum StoreOutcome: Hashable, Sendable, Codable {
    case result(StoreResult)
    /// What was administered has begun.
    case accepted
    /// Who took part when the leader was asked.
    case members(Membership)
    /// It has certainly not happened and never will.
    case failed
    /// It may have happened, may happen later, or never.
    case unknown
}

/// What the local application asks of a replica.
public enum StoreRequest: Hashable, Sendable {
    case administer(StoreAdministration)
}
