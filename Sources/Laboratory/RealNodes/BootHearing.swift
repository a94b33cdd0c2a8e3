import Effects
import Initialization
import Units

/// Puts together what a node tells while it boots and ends.
struct BootHearing {
    var measurement = BootMeasurement()
    /// The node has nothing more to say.
    private(set) var isAtEnd = false
    private let process: NodeProcess
    /// The node's time zero, on the measurement's clock.
    private var origin = Instant.zero

    /// Everything that the node told.
    private var count = 0

    /// A boot reports some hundred events; a node that tells more than this is not listened to.
    private static let reportLimit = 100_000
    /// About 73 years either way: no clock of a real node shows times beyond, and sums of a few stay
    /// in range.
    private static let timeLimit: Int64 = 1 << 61

    init(_ process: NodeProcess) {
        self.process = process
    }

    /// Whether there is nothing to wait for any more: the node is READY and has told what it used,
    /// or its boot has failed, or it has ended.
    var isBootOver: Bool {
        isAtEnd || (measurement.ready != nil && measurement.usageAtReady != nil)
            || measurement.outcome != nil
    }

    /// Whether no component loads any more.
    private(set) var isComplete = false

    /// Takes in what comes until the deadline.
    mutating func hear(until deadline: Int64) {
        switch process.listen(until: deadline) {
        case .report(let report):
            count += 1
            take(report)
        case .garbage(let line):
            count += 1
            measurement.failures.append("the node told garbage: \(line)")
        case .end:
            isAtEnd = true
            isComplete = true
        case .silence: break
        }
        if count > BootHearing.reportLimit {
            measurement.failures.append("the node told more than \(BootHearing.reportLimit) lines")
            isAtEnd = true
        }
    }

    private mutating func take(_ report: NodeReport) {
        switch report {
        case .started(_, let nanoseconds):
            let (since, overflow) = nanoseconds.subtractingReportingOverflow(process.spawned)
            guard !overflow, isPlausible(since) else { return refuse("\(nanoseconds) ns") }
            origin = Instant(nanoseconds: since)
        case .graph(let places):
            measurement.graph = places
        case .lifecycle(let event, let cpu):
            take(event, cpu)
        case .reached(let step, let side, _):
            if side == .before, !measurement.steps.contains(step) { measurement.steps.append(step) }
        case .usage(let usage):
            guard isPlausible(usage.cpu.nanoseconds) else {
                return refuse("\(usage.cpu) of processor time")
            }
            guard measurement.usageAtReady == nil else { return }
            measurement.usageAtReady = BootMeasurement.UsageAtReady(
                cpu: usage.cpu,
                peakMemory: usage.peakResidentMemory
            )
        case .ended(let outcome):
            measurement.outcome = outcome
        }
    }

    private func isPlausible(_ nanoseconds: Int64) -> Bool {
        (-BootHearing.timeLimit...BootHearing.timeLimit).contains(nanoseconds)
    }

    private mutating func refuse(_ time: String) {
        measurement.failures.append("the node told an impossible time: \(time)")
    }

    private mutating func take(_ event: LifecycleEvent, _ cpu: Interval?) {
        guard isPlausible(event.time.nanoseconds) else { return refuse("\(event.time)") }
        if let cpu, !isPlausible(cpu.nanoseconds) { return refuse("\(cpu) of processor time") }
        let time = event.time + (origin - .zero)
        measurement.events.append(.init(time: time, kind: event.kind, cpu: cpu))
        switch event.kind {
        case .ready:
            measurement.ready = time
        case .bootCompleted:
            isComplete = true
        case .bootFailed(let component, let reason):
            measurement.failures.append("\(component): \(reason)")
        case .bootDeadlineExceeded(let waitingFor):
            let names = waitingFor.joined(separator: ", ")
            measurement.failures.append("not READY in time; waiting for \(names)")
        case .shutdownEnded(let left) where !left.isEmpty,
            .rollbackEnded(let left) where !left.isEmpty:
            measurement.failures.append("did not stop: \(left.joined(separator: ", "))")
        case .bootStarted, .phaseStarted, .phaseEnded, .checkpoint, .attemptStarted, .attemptFailed,
            .retryScheduled, .fallbackStarted, .componentReady, .componentFailed, .componentSkipped,
            .stopRequested, .rollbackStarted, .rollbackEnded, .drainStarted,
            .drainEnded, .componentStopping, .componentStopped, .shutdownEnded:
            break
        }
    }
}
