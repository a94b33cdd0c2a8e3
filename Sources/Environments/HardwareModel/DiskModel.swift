public import Units

/// The disk of one node: batches are written and synced one after another, in the order given.
public struct DiskModel: Sendable {
    private let disk: HardwareProfile.Disk
    private var freeAt: Instant
    /// Bytes whose batch was given to the disk.
    public private(set) var written = ByteCount.zero

    public init(_ profile: HardwareProfile, at now: Instant = .zero) {
        disk = profile.disk
        freeAt = now
    }

    /// The instant at which a batch handed over at `now` is durable: after all earlier batches, its
    /// own writing and one fsync. Traps for a negative count.
    public mutating func persist(_ bytes: ByteCount, at now: Instant) -> Instant {
        precondition(bytes >= .zero, "a batch of \(bytes)")
        let start = max(now, freeAt)
        let durable = start + HardwareProfile.duration(of: bytes, at: disk.write) + disk.fsync
        freeAt = durable
        written += bytes
        return durable
    }

    /// Forgets batches that are not durable at `now`, as a crash does.
    public mutating func drop(at now: Instant) {
        freeAt = min(freeAt, now)
    }
}
