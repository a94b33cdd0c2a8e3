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

    /// A boot reports some hundred events; a node that tells more than this is not listened to.
    private static let eventLimit = 100_000

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
        case .report(let report): take(report)
        case .garbage(let line): measurement.failures.append("the node told garbage: \(line)")
        case .end:
            isAtEnd = true
            isComplete = true
        case .silence: break
        }
        if measurement.events.count > BootHearing.eventLimit {
            measurement.failures.append("the node told more than \(BootHearing.eventLimit) events")
            isAtEnd = true
        }
    }

    private mutating func take(_ report: NodeReport) {
        switch report {
        case .started(_, let nanoseconds):
            origin = Instant(nanoseconds: nanoseconds - process.spawned)
        case .graph(let places):
            measurement.graph = places
        case .lifecycle(let event, let cpu):
            take(event, cpu)
        case .reached(let step, let side, _):
            if side == .before, !measurement.steps.contains(step) { measurement.steps.append(step) }
        case .usage(let usage):
            guard measurement.usageAtReady == nil else { return }
            measurement.usageAtReady = BootMeasurement.UsageAtReady(
                cpu: usage.cpu,
                peakMemory: usage.peakResidentMemory
            )
        case .ended(let outcome):
            measurement.outcome = outcome
        }
    }

    private mutating func take(_ event: LifecycleEvent, _ cpu: Interval?) {
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
