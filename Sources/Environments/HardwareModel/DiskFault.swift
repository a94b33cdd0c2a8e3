public import Units

/// What a fault does to the disk of one node, from its beginning to its end.
///
/// The catalogue follows what disks and kernels have been seen to do: "An Analysis of Data Corruption
/// in the Storage Stack" (FAST'08: rot, lost and misdirected writes), "Can Applications Recover from
/// fsync Failures?" (USENIX ATC'20), "Protocol-Aware Recovery for Consensus-Based Storage" (FAST'18).
public enum DiskFault: Hashable, Sendable {
    /// Writing takes `slowdown` times as long and `added` more a batch; several such faults multiply
    /// and add up. Batches already given to the disk keep their time.
    case latency(added: Interval, slowdown: Double)
    /// A batch fails with this probability, in its write or its sync. The node's process ends with the
    /// first failure and stays down until the fault has ended: what a failed sync left behind is
    /// unknown, and trying again would report success without having written (Linux marks the pages
    /// clean).
    case error(DiskOperation, Ratio)
    /// No more than `remaining` bytes fit. The batch that does not fit ends the node's process, which
    /// stays down until the fault has ended.
    case full(remaining: ByteCount)
    /// A crash keeps a part of the batch being written: of its pages each is kept, lost or torn between
    /// two sectors. Without this fault a crash loses such a batch whole.
    case tornWrites
    /// With this probability the disk says that a batch is durable and has it in a cache that a crash
    /// loses, sector by sector; the next honest sync makes it durable.
    case lostSyncs(Ratio)
    /// Each stored byte has one bit flipped with this probability: when the fault begins and at each
    /// restart until it has ended.
    case bitRot(Ratio)
    /// With this probability one sector of a batch is written over another one of the node's log.
    case misdirected(Ratio)

    /// Whether the values are in their bounds: probabilities in 0...1, no negative bytes or time, a
    /// slowdown of 1 or more.
    public var isValid: Bool {
        switch self {
        case .latency(let added, let slowdown):
            added >= .zero && slowdown.isFinite && slowdown >= 1
        case .full(let remaining): remaining >= .zero
        case .tornWrites: true
        case .error(_, let probability), .lostSyncs(let probability), .bitRot(let probability),
            .misdirected(let probability):
            (0...1).contains(probability.value)
        }
    }

    /// Whether what was reported as durable may be gone afterwards, or spoilt.
    public var losesData: Bool {
        switch self {
        case .latency, .error, .full, .tornWrites: false
        case .lostSyncs, .bitRot, .misdirected: true
        }
    }
}

/// A step of making a batch durable, which can fail.
public enum DiskOperation: String, Hashable, Sendable, CaseIterable {
    case write
    case sync
}
