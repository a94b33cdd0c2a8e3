import Foundation
public import Initialization
public import Units

/// One boot of a real node, as it was measured from outside: time zero is right before the process
/// was made.
public struct BootMeasurement: Hashable, Sendable {
    /// The components that booted; empty when the node did not come so far.
    public var graph: [ComponentPlace] = []
    /// From the start until the process ended, in order.
    public var events: [TimedEvent] = []
    /// Durable steps in the order in which they were first reached.
    public var steps: [String] = []
    /// When the node said that it is READY; `nil` when it never did.
    public var ready: Instant?
    /// What it had used by then, as it told.
    public var usageAtReady: UsageAtReady?
    /// What it listened at when it was READY.
    public var sockets: [ListeningSocket] = []
    /// `nil` when it told none, for example because it was killed.
    public var outcome: LifecycleOutcome?
    /// `nil` when it could not be ended, which leaves a process.
    public var ending: ProcessEnding?
    /// What was wrong with the node, one sentence each.
    public var failures: [String] = []
    /// What it left behind after its end, one sentence each.
    public var leftovers: [String] = []

    /// What is wrong with its databases after its end, one sentence each.
    public var databaseProblems: [String] = []

    public var problems: [String] { failures + leftovers + databaseProblems }

    public init() {}

    public struct TimedEvent: Hashable, Sendable {
        /// Since right before the process was made.
        public var time: Instant
        public var kind: LifecycleEvent.Kind
        /// Of all threads since the process began; `nil` where it was not read.
        public var cpu: Interval?

        public init(time: Instant, kind: LifecycleEvent.Kind, cpu: Interval?) {
            self.time = time
            self.kind = kind
            self.cpu = cpu
        }
    }

    public struct UsageAtReady: Hashable, Sendable {
        public var cpu: Interval
        public var peakMemory: ByteCount
        /// VmHWM of `/proc/PID/status`, read by us once we had heard of READY.
        public var peakMemorySeen: ByteCount?
    }
}

/// Boots a real node, waits for READY, ends it in order and looks for what it left behind.
///
/// States: *booting* until READY, the process's end or the deadline; *ending* after SIGTERM, until the
/// process is gone; then its traces are looked for. A request to stop, in either state, ends the
/// process and gives no measurement.
public struct BootSession {
    let node: RealNode
    private let isCancelled: () -> Bool
    /// From the process's start to READY.
    public var bootLimit = Interval.seconds(90)
    /// From READY until components that load in the background have ended too; a node that takes
    /// longer is ended meanwhile.
    public var completionLimit = Interval.seconds(10)
    /// Further environment variables of the node, `NAME=value`.
    public var variables: [String] = []
    /// A command that starts the node, for example to limit its resources.
    public var wrapper: [String] = []
    /// From SIGTERM to the process's end; longer than the node's own deadline of 30 s.
    public var stopLimit = Interval.seconds(40)

    /// How often a request to stop is asked for.
    private static let attention = Interval.milliseconds(50)

    public init(_ node: RealNode, isCancelled: @escaping () -> Bool = { false }) {
        self.node = node
        self.isCancelled = isCancelled
    }

    /// Boots and ends the node once; `nil` when it was cancelled.
    ///
    /// - Parameter arguments: as in ``RealNode/start(_:variables:wrapper:)``.
    public func measure(_ arguments: [String] = []) throws(RealNodeError) -> BootMeasurement? {
        let process = try node.start(arguments, variables: variables, wrapper: wrapper)
        var hearing = BootHearing(process)
        guard boot(&hearing, process), end(&hearing, process) else { return nil }
        if hearing.measurement.ending == nil {
            hearing.measurement.failures.append("the node did not end within \(stopLimit)")
            process.killGroup()
        }
        return conclusion(hearing.measurement, process)
    }

    /// Listens until the boot is over and everything is loaded; `false` when it was cancelled.
    func boot(_ hearing: inout BootHearing, _ process: NodeProcess) -> Bool {
        let limit = process.spawned + bootLimit.nanoseconds
        guard hear(&hearing, until: limit, { $0.isBootOver }) else { return false }
        if hearing.measurement.ready != nil {
            hearing.measurement.usageAtReady?.peakMemorySeen = BootSession.peakMemory(process.pid)
            let rest = MonotonicClock.now + completionLimit.nanoseconds
            guard hear(&hearing, until: rest, { $0.isComplete }) else { return false }
            hearing.measurement.sockets = ListeningSocket.all(of: process.pid)
        } else if !hearing.isBootOver {
            hearing.measurement.failures.append("the node was not READY within \(bootLimit)")
        }
        return true
    }

    /// Asks for the end and listens until it; `false` when it was cancelled.
    func end(_ hearing: inout BootHearing, _ process: NodeProcess) -> Bool {
        // A node that has told its outcome goes by itself.
        if hearing.measurement.outcome == nil { process.signal(SIGTERM) }
        let end = MonotonicClock.now + stopLimit.nanoseconds
        guard hear(&hearing, until: end, { $0.isAtEnd }) else { return false }
        hearing.measurement.ending = process.waitForEnd(until: end)
        return true
    }

    /// Listens until the predicate holds or the time is over; `false` when it was cancelled.
    private func hear(
        _ hearing: inout BootHearing,
        until deadline: Int64,
        _ isOver: (BootHearing) -> Bool
    ) -> Bool {
        while !isOver(hearing), MonotonicClock.now < deadline {
            if isCancelled() { return false }
            hearing.hear(
                until: min(deadline, MonotonicClock.now + BootSession.attention.nanoseconds)
            )
        }
        return true
    }

    /// Adds what the node's end and its traces say.
    private func conclusion(_ measured: BootMeasurement, _ process: NodeProcess) -> BootMeasurement
    {
        var measurement = measured
        if let ending = measurement.ending, ending.cause != .exit(0) {
            let words = node.errors.split(separator: "\n").last.map { ": \($0)" } ?? ""
            measurement.failures.append("the node \(ending.cause)\(words)")
        }
        measurement.leftovers = traces(measurement.sockets, process)
        measurement.databaseProblems = node.data.databaseProblems()
        return measurement
    }

    private func traces(_ sockets: [ListeningSocket], _ process: NodeProcess) -> [String] {
        var problems = ListeningSocket.remaining(of: sockets).map { "\($0) is still open" }
        if process.endGroup() { problems.append("processes of the node's group are left") }
        return problems + node.data.problems()
    }

    private static func peakMemory(_ pid: Int32) -> ByteCount? {
        let text = try? String(contentsOfFile: "/proc/\(pid)/status", encoding: .utf8)
        let line = text?.split(separator: "\n").first { $0.hasPrefix("VmHWM:") }
        let words = line?.split(whereSeparator: { $0 == " " || $0 == "\t" }) ?? []
        return words.count == 3 ? Int64(words[1]).map { ByteCount($0 << 10) } : nil
    }
}
