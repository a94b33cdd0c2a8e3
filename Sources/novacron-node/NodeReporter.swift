import Effects
import FoundationEssentials
import Glibc
import HostEffects
import Initialization
import Synchronization
import Units

/// Tells whoever started the node what happens in it: `NodeReport`s as JSON, one a line.
///
/// A listener that goes away does not disturb the node.
final class NodeReporter: Sendable {
    private let sink: HostLog
    private let machine: any MachineAccess
    private let encoder = Mutex(JSONEncoder())

    /// - Parameter target: the number of an open file descriptor, or a file to append to.
    init(_ target: String, machine: any MachineAccess) throws(CommandFailure) {
        let descriptor: Int32
        if let number = Int32(target) {
            guard fcntl(number, F_SETFD, FD_CLOEXEC) == 0 else {
                throw CommandFailure(.usage, "--events: descriptor \(number) is not open")
            }
            descriptor = number
        } else {
            descriptor = open(target, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0o600)
            guard descriptor >= 0 else {
                let reason = String(cString: strerror(errno))
                throw CommandFailure(.usage, "--events \(target): \(reason)")
            }
        }
        sink = HostLog(descriptor: descriptor)
        self.machine = machine
    }

    func report(_ report: NodeReport) {
        // Encoding a report cannot fail: it has only numbers, texts and lists of them.
        guard let bytes = encoder.withLock({ try? $0.encode(report) }) else {
            preconditionFailure("\(report) has no JSON form")
        }
        sink.write(String(decoding: bytes, as: UTF8.self))
    }

    /// Reports an event with the processor time used so far, and at READY the whole usage.
    func report(_ event: LifecycleEvent) {
        report(.lifecycle(event, cpu: NodeReporter.processorTime))
        if case .ready = event.kind { report(.usage(machine.usage())) }
    }

    private static var processorTime: Interval {
        var time = timespec()
        clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time)
        return .seconds(Int64(time.tv_sec)) + .nanoseconds(Int64(time.tv_nsec))
    }
}

/// Reports every durable step, then goes on to another one that may end the process there.
struct ReportedCrashPoints: CrashPoints {
    let reporter: NodeReporter
    let clock: HostClock
    let next: any CrashPoints

    func reached(_ point: CrashPoint) async throws {
        reporter.report(.reached(step: point.step, side: point.side, time: clock.now))
        try await next.reached(point)
    }
}
