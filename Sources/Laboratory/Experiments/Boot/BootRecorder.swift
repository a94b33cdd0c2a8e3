public import DataSets
import Foundation
import Initialization
import RealNodes
import Units

/// Boots the real daemon in order to learn what its components cost.
///
/// Components of one process share its processor clock, so they are started one after the other
/// (`sequential`), and the clock is read at each component's start and end: what it advanced is the
/// component's processor time, the rest of its duration is waiting. Threads that work for somebody
/// else meanwhile, such as event loops, are counted with the component that runs; nothing can tell
/// them apart. As many boots start as soon as dependencies allow, to be compared with.
public struct BootRecorder {
    /// The daemon's path, or a command that runs it.
    private let program: [String]
    private let boots: Int
    private let isCancelled: () -> Bool

    /// How the times were measured, for the file.
    private static let method = """
        Each boot is a process of its own in a new folder; components start one after the other. \
        cpu is what the process's processor clock advanced between a component's first attempt and \
        its readiness, wait is the rest of that time. What other threads of the process did \
        meanwhile is in cpu and cannot be told apart. between is the time from the first component's \
        start to READY in which no component ran, before is what lies before the first component.
        """

    /// - Parameter boots: of each order; at least one.
    public init(program: [String], boots: Int, isCancelled: @escaping () -> Bool) {
        precondition(boots > 0, "\(boots) boots")
        self.program = program
        self.boots = boots
        self.isCancelled = isCancelled
    }

    /// What is being done, for showing it.
    public struct Progress: Sendable {
        public var done: Int
        public var total: Int
    }

    /// Boots, and puts together what the components took; `nil` when it was cancelled.
    ///
    /// - Throws: `RealNodeError` when a boot failed: costs of failed boots are nobody's.
    public func record(
        as name: String,
        machine: String,
        commit: String,
        at date: String,
        progress: (Progress) -> Void
    ) throws -> BootRecording? {
        var sequential: [SequentialBoot] = []
        var parallel: [Interval] = []
        for number in 0..<boots {
            progress(Progress(done: 2 * number, total: 2 * boots))
            guard let boot = try boot(.sequential) else { return nil }
            sequential.append(try SequentialBoot(boot))
            progress(Progress(done: 2 * number + 1, total: 2 * boots))
            guard let boot = try self.boot(.dependencyReady), let ready = boot.ready else {
                return nil
            }
            parallel.append(ready - Instant.zero)
        }
        var recording = BootRecording(
            name: name,
            machine: machine,
            commit: commit,
            recordedAt: date,
            boots: boots,
            components: BootRecorder.components(sequential)
        )
        recording.method = BootRecorder.method
        recording.before = times(sequential.map(\.before))
        recording.between = times(sequential.map(\.between))
        recording.beforeCPU = times(sequential.map(\.beforeCPU))
        recording.betweenCPU = times(sequential.map(\.betweenCPU))
        recording.bootTimes = BootRecording.BootTimes(
            sequential: times(sequential.map(\.ready)),
            dependencyReady: times(parallel)
        )
        return recording
    }

    private func boot(_ order: StartOrder) throws -> BootMeasurement? {
        let configuration = RealNode.freePorts + "boot:\n  order: \(order.rawValue)\n"
        let node = try RealNode(program: program, configuration: configuration)
        guard let boot = try BootSession(node, isCancelled: isCancelled).measure() else {
            return nil
        }
        guard boot.ready != nil, boot.problems.isEmpty else {
            throw RealNodeError(boot.problems.first ?? "the node was never READY")
        }
        return boot
    }

    private static func components(_ boots: [SequentialBoot]) -> [BootRecording.Component] {
        boots[0].graph.compactMap { place in
            let costs = boots.compactMap { $0.costs[place.name] }
            guard !costs.isEmpty else { return nil }
            return BootRecording.Component(
                name: place.name,
                phase: place.phase.rawValue,
                boots: costs.count,
                cpu: times(costs.map(\.cpu)),
                wait: times(costs.map(\.wait))
            )
        }
    }
}

/// The median and the 95 % quantile, by nearest rank.
private func times(_ intervals: [Interval]) -> BootRecording.Times {
    let sorted = intervals.map(\.seconds).sorted()
    func rank(_ share: Double) -> Double {
        sorted[min(sorted.count - 1, max(0, Int((share * Double(sorted.count)).rounded(.up)) - 1))]
    }
    return BootRecording.Times(median: rank(0.5), p95: rank(0.95))
}

/// What the components of one boot took that started one after the other.
struct SequentialBoot {
    let graph: [ComponentPlace]
    /// Of components that became ready themselves, at their first attempt.
    private(set) var costs: [String: Cost] = [:]
    /// From the process's start to the first component's.
    let before: Interval
    /// From the first component's start to READY, without components.
    let between: Interval
    /// Processor time in `before` and in `between`.
    let beforeCPU: Interval
    let betweenCPU: Interval
    /// From the process's start to READY.
    let ready: Interval

    struct Cost: Hashable {
        var cpu: Interval
        var wait: Interval
    }

    /// - Throws: `RealNodeError` when the boot told no processor times.
    init(_ boot: BootMeasurement) throws {
        guard let ready = boot.ready else { throw RealNodeError("the node was never READY") }
        graph = boot.graph
        var first: (time: Instant, cpu: Interval)?
        var last = Interval.zero
        var started: (name: String, time: Instant, cpu: Interval)?
        var busy = Interval.zero
        var worked = Interval.zero
        for event in boot.events where event.time <= ready {
            last = max(last, event.cpu ?? .zero)
            switch event.kind {
            case .attemptStarted(let name, 1):
                guard let cpu = event.cpu else {
                    throw RealNodeError("the node tells no processor times")
                }
                first = first ?? (event.time, cpu)
                started = (name, event.time, cpu)
            case .componentReady(let name, nil):
                guard let start = started, start.name == name, let cpu = event.cpu else { continue }
                let duration = event.time - start.time
                let used = cpu - start.cpu
                costs[name] = Cost(cpu: used, wait: max(.zero, duration - used))
                busy += duration
                worked += used
                started = nil
            default: break
            }
        }
        guard let first else { throw RealNodeError("no component was started") }
        before = first.time - Instant.zero
        between = max(.zero, ready - first.time - busy)
        beforeCPU = first.cpu
        betweenCPU = max(.zero, last - first.cpu - worked)
        self.ready = ready - Instant.zero
    }
}
