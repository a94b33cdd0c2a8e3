import Determinism
public import Effects
public import Units

/// One life of a node's process on a simulated host: what it holds ends with it.
///
/// alive → ended, by `end`, `kill` or the host's crash. Once it is over, every effect of it fails and
/// changes nothing.
public final class SimulatedProcess: @unchecked Sendable {
    // Unchecked, because every use is confined to the executor's thread.

    public let host: SimulatedHost
    public let incarnation: UInt32
    public let processID: Int32
    public let log = CollectedLog()
    /// How it ended; `nil` while it lives.
    public private(set) var ending: Ending?
    /// Write operations begun so far, of files and databases.
    public private(set) var diskOperationCount: UInt64 = 0
    /// What models of components say they hold; shown by `usage`.
    public var residentMemory = ByteCount.zero {
        didSet { peakResidentMemory = max(peakResidentMemory, residentMemory) }
    }
    private(set) var peakResidentMemory = ByteCount.zero
    let busyAtStart: Interval
    var openFiles = 0
    /// What the probes of this process meet.
    var probeRandom: SeededRandom
    private let plan: CrashPlan
    private let secrets: SimulatedSecrets
    private var points: SimulatedCrashPoints?
    private var watchers: [Watcher] = []

    public enum Ending: Hashable, Sendable {
        /// In order, or by itself.
        case ended
        /// Its host lost power.
        case hostCrashed
        /// It alone was killed; what it wrote is still in the system's memory.
        case killed
    }

    init(_ host: SimulatedHost, incarnation: UInt32, processID: Int32, crash plan: CrashPlan) {
        self.host = host
        self.incarnation = incarnation
        self.processID = processID
        self.plan = plan
        busyAtStart = host.processors.busy
        probeRandom = SeededRandom(
            seed: host.seed,
            entity: EntityID(host.node),
            purpose: "probes",
            incarnation: incarnation
        )
        secrets = SimulatedSecrets(seed: host.seed, node: host.node, incarnation: incarnation)
    }

    public var isAlive: Bool { ending == nil }

    /// The points of durable steps that it has reached, once each, in order.
    public var crashPoints: SimulatedCrashPoints {
        if let points { return points }
        var target: CrashPoint?
        if case .point(let point) = plan { target = point }
        let made = SimulatedCrashPoints(
            at: target,
            isAlive: { [weak self] in self?.isAlive ?? false },
            crash: { [weak self] in self?.host.crash() }
        )
        points = made
        return made
    }

    /// The world as this process sees it.
    public var effects: NodeEffects {
        NodeEffects(
            clock: VirtualEffectClock(self),
            files: SimulatedFiles(self),
            machine: SimulatedMachine(self),
            network: SimulatedSockets(self),
            databases: SimulatedDatabaseAccess(self),
            secrets: secrets,
            log: log,
            crashPoints: crashPoints
        )
    }

    /// Runs the process's code. When the process is killed or its host crashes, all tasks below are
    /// cancelled at once, so that the code unwinds without time passing; then the answer is `nil`.
    public func run<Value: Sendable>(
        _ body: @escaping @Sendable () async -> Value
    ) async -> Value? {
        await withTaskGroup(of: Value?.self) { group in
            group.addTask { await body() }
            group.addTask { [self] in
                await untilOver()
                return nil
            }
            let first = await group.next() ?? nil
            group.cancelAll()
            return isAlive ? first : nil
        }
    }

    /// Ends the process in order: locks and ports that it still holds are free.
    public func end() {
        guard isAlive else { return }
        host.finish(self, .ended)
    }

    /// Kills the process alone. What it wrote without syncing survives, since the host lives on;
    /// operations under way are done, done in part or not at all, by the seed.
    public func kill() {
        guard isAlive else { return }
        host.finish(self, .killed)
    }

    // MARK: - For the host

    func takeDiskOperation() -> CrashPlan.DiskMoment? {
        diskOperationCount += 1
        if case .diskOperation(diskOperationCount, let moment) = plan { return moment }
        return nil
    }

    func markOver(_ ending: Ending) {
        precondition(self.ending == nil, "process \(processID) ended twice")
        self.ending = ending
    }

    func wakeWatchers() {
        let woken = watchers
        watchers.removeAll()
        for watcher in woken { watcher.finish() }
    }

    /// Suspends until the process is over or the task is cancelled.
    private func untilOver() async {
        let watcher = Watcher()
        await withTaskCancellationHandler {
            await withUnsafeContinuation { continuation in
                watcher.continuation = continuation
                if watcher.isCancelled || !isAlive {
                    watcher.finish()
                } else {
                    watchers.append(watcher)
                }
            }
        } onCancel: {
            watcher.isCancelled = true
            watcher.finish()
        }
    }

    private final class Watcher: @unchecked Sendable {
        // Unchecked, because only the executor's thread uses it.
        var continuation: UnsafeContinuation<Void, Never>?
        var isCancelled = false

        func finish() {
            continuation?.resume()
            continuation = nil
        }
    }
}
