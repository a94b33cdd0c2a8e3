public import Units

/// What one link did since the start of the run.
public struct LinkCounters: Hashable, Sendable, Codable, BitwiseCopyable {
    /// Packets and wire bytes that senders offered.
    public var offeredPackets: UInt64 = 0
    public var offeredBytes: UInt64 = 0
    /// Wire bytes that left the queue; never more than rate × time plus one packet.
    public var departedPackets: UInt64 = 0
    public var departedBytes: UInt64 = 0
    /// Packets that reached the other end, duplicates and spoiled ones included.
    public var arrivedPackets: UInt64 = 0
    public var arrivedBytes: UInt64 = 0
    /// Dropped because the queue was full.
    public var droppedByQueue: UInt64 = 0
    /// Dropped by a queue with room, to tell senders that it stands (CoDel).
    public var droppedEarly: UInt64 = 0
    /// Marked by the queue instead of dropped (ECN, RFC 3168).
    public var marked: UInt64 = 0
    public var droppedByLoss: UInt64 = 0
    /// Dropped because the link was down, or the packet too long for it.
    public var droppedByOutage: UInt64 = 0
    /// Dropped by a partition.
    public var droppedByRule: UInt64 = 0
    /// Arrived with wrong bits; where checksums are kept, the receiver drops these.
    public var corrupted: UInt64 = 0
    /// Copies that arrived besides their originals.
    public var duplicated: UInt64 = 0
    /// Held back so that later packets overtook them.
    public var reordered: UInt64 = 0
    /// Time during which a packet was being sent, or first in line for a trace's next opportunity.
    public var busy: Interval = .zero
    /// Highest occupancy of the queue.
    public var peakQueue: ByteCount = .zero
    /// How often the lossless queue at the link's end stopped its sender, and for how long in all.
    public var pauses: UInt64 = 0
    public var paused: Interval = .zero

    public init() {}

    /// Counts what another part of the same link did.
    package mutating func add(_ other: LinkCounters) {
        offeredPackets &+= other.offeredPackets
        offeredBytes &+= other.offeredBytes
        departedPackets &+= other.departedPackets
        departedBytes &+= other.departedBytes
        arrivedPackets &+= other.arrivedPackets
        arrivedBytes &+= other.arrivedBytes
        droppedByQueue &+= other.droppedByQueue
        droppedByLoss &+= other.droppedByLoss
        busy += other.busy
        peakQueue = max(peakQueue, other.peakQueue)
        corrupted &+= other.corrupted
        droppedByOutage &+= other.droppedByOutage
        droppedByRule &+= other.droppedByRule
        pauses &+= other.pauses
        paused += other.paused
    }

    /// Packets that did not reach the other end, for whatever reason.
    public var dropped: UInt64 {
        droppedByQueue + droppedEarly + droppedByLoss + droppedByOutage + droppedByRule
    }
}
