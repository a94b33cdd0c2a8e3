public import Units

/// The disk of one node: batches are written and synced one after another, in the order given.
public struct DiskModel: Sendable {
    private let disk: HardwareProfile.Disk
    private var freeAt: Instant
    /// How many times slower than its profile the disk works from now on; at least one.
    public var slowdown: Double = 1 {
        didSet { precondition(slowdown >= 1, "a disk slowed by \(slowdown)") }
    }
    /// Time that every batch takes beyond its profile's; not negative.
    public var added = Interval.zero {
        didSet { precondition(added >= .zero, "a disk that is \(added) late") }
    }
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
        var duration = HardwareProfile.duration(of: bytes, at: disk.write) + disk.fsync
        if slowdown > 1 { duration = duration.scaled(by: slowdown) }
        let durable = start + duration + added
        freeAt = durable
        written += bytes
        return durable
    }

    /// The instant at which bytes asked for at `now` have been read: after all earlier batches. Where
    /// the profile has no figure for reading, it takes no time. Traps for a negative count.
    public mutating func read(_ bytes: ByteCount, at now: Instant) -> Instant {
        precondition(bytes >= .zero, "a read of \(bytes)")
        guard let rate = disk.read else { return now }
        var duration = HardwareProfile.duration(of: bytes, at: rate)
        if slowdown > 1 { duration = duration.scaled(by: slowdown) }
        freeAt = max(now, freeAt) + duration
        return freeAt
    }

    /// Forgets batches that are not durable at `now`, as a crash does.
    public mutating func drop(at now: Instant) {
        freeAt = min(freeAt, now)
    }
}
