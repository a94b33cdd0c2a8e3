public import Effects

/// Where the host of a process crashes.
public enum CrashPlan: Hashable, Sendable {
    case never
    /// When that point is first reached.
    case point(CrashPoint)
    /// At the process's write operation of that number, counted from one: files and databases.
    case diskOperation(UInt64, DiskMoment)

    /// A moment of one write operation.
    public enum DiskMoment: String, Hashable, Sendable, CaseIterable {
        /// Nothing is done.
        case before
        /// The seed decides whether nothing, a part (of an append) or everything is done.
        case during
        /// Everything is done, and nobody has heard of it.
        case after
    }
}

/// The host crashed; thrown where no other error type is asked for.
public struct HostCrash: Error, Hashable, Sendable, CustomStringConvertible {
    public init() {}

    public var description: String { "the host crashed" }
}

/// Hears of the durable steps of one process and crashes the host at the one that was asked for.
public final class SimulatedCrashPoints: CrashPoints, @unchecked Sendable {
    // Unchecked, because every use is confined to the executor's thread.

    /// Every point reached, once each, in order. At most 100,000 are kept; a node has some tens.
    public private(set) var all: [CrashPoint] = []
    private var known: Set<CrashPoint> = []
    private let target: CrashPoint?
    private let crash: @Sendable () -> Void
    private let isAlive: @Sendable () -> Bool

    init(
        at target: CrashPoint?,
        isAlive: @escaping @Sendable () -> Bool,
        crash: @escaping @Sendable () -> Void
    ) {
        self.target = target
        self.isAlive = isAlive
        self.crash = crash
    }

    public func reached(_ point: CrashPoint) async throws {
        guard isAlive() else { throw HostCrash() }
        if all.count < 100_000, known.insert(point).inserted { all.append(point) }
        guard point == target else { return }
        crash()
        throw HostCrash()
    }
}
