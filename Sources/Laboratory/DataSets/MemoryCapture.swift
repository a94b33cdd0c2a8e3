import Glibc
public import Units

/// Takes snapshots of a running process's writable memory.
///
/// For each snapshot the process is stopped with SIGSTOP, its memory is read through `/proc` once all
/// of its threads stand still, and it is continued; it is continued on every error and on Ctrl-C too.
/// Gaps count the time the process ran, not the time it stood still. Memory is bounded by the
/// distinct pages and four bytes a page and snapshot.
public struct MemoryCapture: Sendable {
    public enum Target: Hashable, Sendable {
        /// Started by us, without a shell, and ended afterwards.
        case command([String])
        /// Already running; goes on afterwards.
        case process(Int32)
    }

    /// When the first snapshot is due.
    public enum Readiness: Hashable, Sendable {
        case after(Interval)
        /// Once a started command has printed this line.
        case outputLine(String, within: Interval)
    }

    public enum Progress: Hashable, Sendable {
        case waiting
        case took(snapshot: Int, of: Int, size: ByteCount, stoppedFor: Interval)
    }

    public var target: Target
    public var name: String
    public var snapshots: Int
    public var every: Interval
    public var readiness: Readiness
    /// What is captured, in words; the command itself when absent.
    public var description: String?

    /// The most address space that is captured; the page tables' bound.
    public static let largestMemory = ByteCount.gibibytes(16)
    public static let snapshotRange = 1...1024
    public static let intervalRange = Interval.milliseconds(10)...Interval.seconds(3600)

    public init(
        _ target: Target,
        name: String,
        snapshots: Int,
        every: Interval = .seconds(1),
        readiness: Readiness = .after(.seconds(1)),
        description: String? = nil
    ) {
        self.target = target
        self.name = name
        self.snapshots = snapshots
        self.every = every
        self.readiness = readiness
        self.description = description
    }

    /// Captures; blocks the calling thread for about `snapshots` × `every`.
    ///
    /// - Parameter isCancelled: asked at least every 50 ms; true ends it with `.interrupted`.
    public func run(
        progress: (Progress) -> Void = { _ in },
        isCancelled: () -> Bool = { false }
    ) throws(DataSetError) -> MemoryDataSet {
        try checkRequest()
        return try Interruption.deferred { () throws(DataSetError) in
            switch target {
            case .process(let pid):
                var session = Session(self, try StoppableProcess(pid: pid), child: nil)
                return try session.run(progress: progress, isCancelled: isCancelled)
            case .command(let arguments):
                let child = try ChildProcess(arguments)
                let process = try StoppableProcess(pid: child.pid)
                var session = Session(self, process, child: child)
                return try session.run(progress: progress, isCancelled: isCancelled)
            }
        }
    }

    private func checkRequest() throws(DataSetError) {
        try DataSetCatalogue.check(name: name)
        guard MemoryCapture.snapshotRange.contains(snapshots) else {
            throw .badRequest(
                "\(snapshots) snapshots; \(MemoryCapture.snapshotRange) are possible"
            )
        }
        guard MemoryCapture.intervalRange.contains(every) else {
            throw .badRequest("a snapshot every \(every); 10 ms to 3600 s are possible")
        }
    }

    fileprivate var originDescription: String {
        if let description { return description }
        return switch target {
        case .process(let pid): "process \(pid)"
        case .command(let arguments): arguments.joined(separator: " ")
        }
    }
}

/// One capture under way.
private struct Session: ~Copyable {
    let capture: MemoryCapture
    let process: StoppableProcess
    var child: ChildProcess?
    var pool = PagePool()
    var snapshots: [[AddressSpace.Extent]] = []
    var gaps: [Interval] = []
    /// When the process last went on.
    var runningSince = MonotonicTime.now
    /// The part of a line that the child has printed so far.
    var pendingOutput: [UInt8] = []
    /// Whether what the child prints means nothing any more and is dropped while waiting.
    var ignoresOutput = true

    private static let pollInterval = Interval.milliseconds(50)

    init(_ capture: MemoryCapture, _ process: StoppableProcess, child: consuming ChildProcess?) {
        self.capture = capture
        self.process = process
        self.child = child
    }

    mutating func run(
        progress: (MemoryCapture.Progress) -> Void,
        isCancelled: () -> Bool
    ) throws(DataSetError) -> MemoryDataSet {
        progress(.waiting)
        try waitUntilReady(isCancelled)
        let limit = Int(MemoryCapture.largestMemory.bytes) / MemoryDataSet.pageSize
        for number in 1...capture.snapshots {
            if number > 1 { try wait(until: runningSince + capture.every, isCancelled) }
            let stoppedFor: Interval
            do throws(DataSetError) {
                stoppedFor = try takeSnapshot(of: ProcessMemory(pid: process.pid, limit: limit))
            } catch {
                throw explanation(of: error)
            }
            let pages = snapshots[number - 1].reduce(0) { $0 + $1.pages.count }
            progress(
                .took(
                    snapshot: number,
                    of: capture.snapshots,
                    size: ByteCount(pages * MemoryDataSet.pageSize),
                    stoppedFor: stoppedFor
                )
            )
        }
        return assemble()
    }

    /// Stops, reads, continues; returns how long the process stood still.
    private mutating func takeSnapshot(
        of memory: borrowing ProcessMemory
    ) throws(DataSetError) -> Interval {
        let ranUntil = MonotonicTime.now
        do throws(DataSetError) {
            try process.stop()
        } catch {
            process.resume()
            throw error
        }
        // From here the process goes on whatever happens.
        let result: Result<[AddressSpace.Extent], DataSetError>
        do throws(DataSetError) {
            result = .success(try memory.snapshot(into: &pool))
        } catch {
            result = .failure(error)
        }
        let isAlive = process.isRunning
        process.resume()
        switch result {
        case .failure(let error): throw error
        case .success where !isAlive: throw .noSuchProcess(pid: process.pid)
        case .success(let extents):
            if !snapshots.isEmpty { gaps.append(ranUntil - runningSince) }
            snapshots.append(extents)
            runningSince = MonotonicTime.now
            return runningSince - ranUntil
        }
    }

    private mutating func waitUntilReady(_ isCancelled: () -> Bool) throws(DataSetError) {
        let start = MonotonicTime.now
        switch capture.readiness {
        case .after(let delay):
            try wait(until: start + delay, isCancelled)
        case .outputLine(let line, let limit):
            guard child != nil else {
                throw .badRequest("only a command that is started here can say that it is ready")
            }
            ignoresOutput = false
            defer { ignoresOutput = true }
            while !(child!.drainOutput(lookingFor: line, in: &pendingOutput)) {
                guard MonotonicTime.now < start + limit else {
                    throw .unresponsive(
                        pid: process.pid,
                        waitingFor: "print '\(line)' within \(limit)"
                    )
                }
                try wait(until: MonotonicTime.now + .milliseconds(10), isCancelled)
            }
        }
        runningSince = MonotonicTime.now
    }

    private mutating func wait(
        until deadline: Instant,
        _ isCancelled: () -> Bool
    ) throws(DataSetError) {
        repeat {
            if Interruption.isRequested || isCancelled() { throw .interrupted }
            if child != nil, ignoresOutput {
                _ = child!.drainOutput(lookingFor: nil, in: &pendingOutput)
            }
            if let ending = child?.checkForEnd() { throw ended(ending) }
            guard process.isRunning else { throw ended("ended") }
            MonotonicTime.sleep(min(deadline - MonotonicTime.now, Session.pollInterval))
        } while MonotonicTime.now < deadline
    }

    /// A process that vanished in the middle of something has ended; say how, where that is known.
    private mutating func explanation(of error: DataSetError) -> DataSetError {
        if Interruption.isRequested { return .interrupted }
        guard case .noSuchProcess = error else { return error }
        return ended(child?.checkForEnd() ?? "ended")
    }

    private func ended(_ ending: String) -> DataSetError {
        .processEnded(
            pid: process.pid,
            snapshots: snapshots.count,
            wanted: capture.snapshots,
            ending: ending
        )
    }

    private mutating func assemble() -> MemoryDataSet {
        let space = AddressSpace(covering: snapshots)
        var tables: [UInt32] = []
        tables.reserveCapacity(space.pageCount * snapshots.count)
        for extents in snapshots { tables += space.table(of: extents) }
        return MemoryDataSet(
            name: capture.name,
            origin: DataSetOrigin(
                kind: .captured,
                description: capture.originDescription,
                recordedAt: MonotonicTime.dateAndTime
            ),
            gaps: gaps,
            regions: space.regions,
            pool: pool,
            tables: tables
        )
    }
}
