public import HardwareModel
public import Machines
public import RecordLog
public import Units

/// Something that happened to a node's durable records and that a disk without faults never does.
public struct StorageFact: Hashable, Sendable {
    public let node: NodeID
    public let time: Instant
    public let kind: Kind

    public init(node: NodeID, time: Instant, kind: Kind) {
        self.node = node
        self.time = time
        self.kind = kind
    }

    public enum Kind: Hashable, Sendable {
        /// Making a batch durable failed; the node's process has ended.
        case failed(DiskOperation)
        /// A batch did not fit; the node's process has ended.
        case full
        /// So many bits flipped.
        case rotted(bits: Int)
        /// One sector of a batch was written over another.
        case misdirected
        /// The disk said that a batch was durable and had it in its cache.
        case lied
        /// A restart found an unfinished write, or superseded segments, and made these changes.
        case repaired([LogRepair])
        /// Recovery refused what it found; the node stays down.
        case refused(RecoveryFailure)
        /// The bytes are whole, but the record, counted from the oldest, means nothing to the machine;
        /// the node stays down.
        case undecodable(record: Int, WireError)
        /// The node started without batches that it had been told were durable, and could not know:
        /// its disk had lied. Known to the simulation only, as the cause of what follows.
        case forgot(batches: UInt64)
    }
}
