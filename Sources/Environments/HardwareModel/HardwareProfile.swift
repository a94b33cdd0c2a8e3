public import Determinism
public import Machines
public import Units

/// How fast one kind of machine works: what a simulation charges for computation and for durable
/// writes.
///
/// Rates are in MB/s, 10^6 bytes a second. Profiles are committed files (`scenarios/hardware`); the
/// digest is part of a run's identity.
public struct HardwareProfile: Hashable, Sendable {
    /// The name by which scenarios select the profile.
    public var name: String
    /// Where the figures come from.
    public var measured: Provenance
    /// Cores of one node.
    public var cores: Int
    /// Speed of one core for each kind of work.
    public var speeds: Speeds
    public var disk: Disk

    /// Where, when and how the figures were measured.
    public struct Provenance: Hashable, Sendable {
        public var machine: String
        /// A calendar date, `2026-11-22`.
        public var date: String
        public var method: String

        public init(machine: String, date: String, method: String) {
            self.machine = machine
            self.date = date
            self.method = method
        }
    }

    /// A speed in MB/s for every kind of work.
    public struct Speeds: Hashable, Sendable {
        private var values: [Double]

        /// Traps unless every speed is finite and positive.
        public init(_ speed: (WorkKind) -> Double) {
            values = WorkKind.allCases.map { kind in
                let value = speed(kind)
                precondition(value.isFinite && value > 0, "\(kind.rawValue) at \(value) MB/s")
                return value
            }
        }

        public subscript(kind: WorkKind) -> Double { values[kind.profileIndex] }
    }

    public struct Disk: Hashable, Sendable {
        /// Sequential writing, MB/s.
        public var write: Double
        /// Time of one fsync beyond the writing itself.
        public var fsync: Interval
        /// Sequential reading, MB/s, where it was measured.
        public var read: Double?

        /// Traps unless rates are finite and positive and the latency is not negative.
        public init(write: Double, fsync: Interval, read: Double? = nil) {
            precondition(write.isFinite && write > 0, "a disk that writes \(write) MB/s")
            precondition(fsync >= .zero, "an fsync of \(fsync)")
            if let read { precondition(read.isFinite && read > 0, "a disk reading \(read) MB/s") }
            self.write = write
            self.fsync = fsync
            self.read = read
        }
    }

    /// Traps when `cores` is not in 1...4096.
    public init(name: String, measured: Provenance, cores: Int, speeds: Speeds, disk: Disk) {
        precondition((1...4096).contains(cores), "a profile with \(cores) cores")
        self.name = name
        self.measured = measured
        self.cores = cores
        self.speeds = speeds
        self.disk = disk
    }

    /// The time that one core needs for `cost`; every part is rounded up to a nanosecond, so that no
    /// work is free.
    public func duration(of cost: WorkCost) -> Interval {
        var total = Interval.zero
        for part in cost.parts {
            total += HardwareProfile.duration(of: part.bytes, at: speeds[part.kind])
        }
        return total
    }

    /// Identifies the figures: equal for profiles that charge the same, whatever they are called.
    public var digest: Fingerprint {
        var chain = HashChain()
        chain.combine(UInt64(cores))
        for kind in WorkKind.allCases {
            chain.combine(kind.rawValue)
            chain.combine(speeds[kind].bitPattern)
        }
        chain.combine(disk.write.bitPattern)
        chain.combine(disk.fsync.nanoseconds)
        chain.combine(disk.read?.bitPattern ?? 0)
        return chain.fingerprint
    }

    static func duration(of bytes: ByteCount, at megabytesPerSecond: Double) -> Interval {
        Interval(nanoseconds: Int64((Double(bytes.bytes) * 1e3 / megabytesPerSecond).rounded(.up)))
    }
}

extension WorkKind {
    /// The position in `allCases`.
    fileprivate var profileIndex: Int {
        switch self {
        case .copy: 0
        case .checksum: 1
        case .compare: 2
        case .delta: 3
        case .zstd1Compress: 4
        case .zstd3Compress: 5
        case .zstd9Compress: 6
        case .zstdDecompress: 7
        case .apply: 8
        }
    }
}
