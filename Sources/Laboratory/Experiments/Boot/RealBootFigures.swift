import Foundation
import Initialization
import Measurements
import RealNodes
import Scenarios
import Units

/// Turns boots of the real daemon into the figures that simulated ones have, and those that only real
/// ones have.
struct RealBootFigures {
    private var figures = BootFigures()
    private var boots: [BootMeasurement] = []
    private var disagreements: [Violation] = []

    /// The name of the invariant that what a node tells agrees with what the system tells of it.
    static let agreement = "node-and-system-agree"

    mutating func addCutShort() {
        figures.addCutShort()
    }

    /// - Parameter offset: when the process was made, on the run's clock.
    mutating func add(_ boot: BootMeasurement, of node: NodeID, startedAt offset: Instant) {
        boots.append(boot)
        check(boot, at: offset)
        figures.add(RealBoot(boot, of: node, startedAt: offset))
    }

    /// The process's whole consumption bounds what it told at READY.
    private mutating func check(_ boot: BootMeasurement, at time: Instant) {
        guard let usage = boot.usageAtReady, let ending = boot.ending else { return }
        if usage.cpu > ending.cpu {
            let message = "\(usage.cpu) of processor time at READY, \(ending.cpu) at the end"
            disagreements.append(Violation(time: time, message: message))
        }
        let bounds = [ending.peakMemory, usage.peakMemorySeen].compactMap { $0 }
        if bounds.contains(where: { usage.peakMemory > $0 }) {
            let message = "peak memory \(usage.peakMemory) told at READY, seen \(bounds)"
            disagreements.append(Violation(time: time, message: message))
        }
    }

    func write(into record: inout RunRecord) {
        figures.write(into: &record)
        record.events = UInt64(boots.reduce(0) { $0 + $1.events.count })
        let peaks = boots.compactMap { $0.usageAtReady?.peakMemory }
        if !peaks.isEmpty {
            record.metrics.append(
                MetricValue(
                    "boot-peak-memory",
                    samples: peaks.map { Double($0.bytes) / 1e6 },
                    bound: PhysicalBound(.lower, 0, derivation: "a process has memory")
                )
            )
        }
        record.invariants.append(
            InvariantOutcome(
                name: RealBootFigures.agreement,
                checked: UInt64(boots.count { $0.usageAtReady != nil && $0.ending != nil }),
                violations: disagreements
            )
        )
        record.facts += facts
    }

    /// Of the first boot, as an example, where a replication has several.
    private var facts: [Fact] {
        guard let boot = boots.first else { return [] }
        var facts: [Fact] = []
        if let first = boot.events.first {
            let cpu = first.cpu.map { ", \($0) of processor time" } ?? ""
            facts.append(
                Fact(
                    "before the first component",
                    "\(first.time - Instant.zero)\(cpu): loading, parsing"
                )
            )
        }
        if let usage = boot.usageAtReady, let ending = boot.ending {
            facts.append(
                Fact("processor time", "\(usage.cpu) at READY, \(ending.cpu) to the process's end")
            )
            let seen = usage.peakMemorySeen.map { ", \($0) in /proc then" } ?? ""
            facts.append(
                Fact(
                    "peak memory",
                    "\(usage.peakMemory) told at READY\(seen), at most \(ending.peakMemory) to the "
                        + "process's end"
                )
            )
        }
        return facts
    }
}

/// A boot of the real daemon in the terms of all boots.
struct RealBoot {
    let node: NodeID
    let trace: BootTrace?
    let boot: BootFigures.Boot?
    let end: Instant
    let isRightOutcome: Bool
    let outcomeText: String
    let leftovers: [String]

    init(_ measured: BootMeasurement, of node: NodeID, startedAt offset: Instant) {
        self.node = node
        let shift = offset - Instant.zero
        let graph = try? ComponentGraph(measured.graph.map(\.specification))
        var trace = graph.map { graph in
            BootTrace(graph, order: measured.order, start: offset)
        }
        for event in measured.events {
            // What a process tells comes from outside and is not trusted to fit the graph it told.
            guard let name = event.kind.component, graph?.position(of: name) == nil else {
                trace?.observe(LifecycleEvent(time: event.time + shift, kind: event.kind))
                continue
            }
        }
        self.trace = trace
        end = (measured.events.last?.time ?? .zero) + shift
        boot = trace.flatMap { RealBoot.boot(measured, $0, of: node) }
        leftovers = measured.leftovers + measured.left.map { "component \($0) did not stop" }
        switch measured.outcome {
        case .stopped?:
            isRightOutcome = trace.map { $0.ready != nil && !$0.mustFail } ?? false
        case .failed?: isRightOutcome = trace?.mustFail ?? false
        case .late?: isRightOutcome = measured.ready == nil
        case .cancelled?, nil: isRightOutcome = false
        }
        let words =
            measured.failures.isEmpty ? "" : ": " + measured.failures.joined(separator: "; ")
        outcomeText = (measured.ending?.cause.description ?? "did not end") + words
    }

    /// `nil` when the node was never READY.
    private static func boot(
        _ measured: BootMeasurement,
        _ trace: BootTrace,
        of node: NodeID
    ) -> BootFigures.Boot? {
        guard let ready = trace.ready, let usage = measured.usageAtReady else { return nil }
        let graph = trace.graph
        let times = graph.components.indices.map { position -> Interval in
            guard trace.states[position] == .ready(fallback: false),
                let start = trace.attempts[position].first?.start,
                let end = trace.attempts[position].last?.end
            else { return .zero }
            return end - start
        }
        return BootFigures.Boot(
            node: node,
            time: ready - trace.start,
            phases: trace.phaseTimes,
            path: graph.criticalPath(times),
            sum: graph.awaited.reduce(.zero) { $0 + times[$1] },
            cpu: usage.cpu,
            cores: ProcessInfo.processInfo.activeProcessorCount,
            isDegraded: trace.isDegraded
        )
    }
}

extension BootMeasurement {
    /// How the node says that it starts its components.
    var order: StartOrder {
        for event in events {
            if case .bootStarted(let order) = event.kind { return order }
        }
        return .dependencyReady
    }

    /// Components that the node says did not stop.
    var left: [String] {
        switch outcome {
        case .stopped(let left)?, .failed(_, _, let left)?, .late(_, let left)?,
            .cancelled(let left)?:
            left
        case nil: []
        }
    }
}

extension LifecycleEvent.Kind {
    /// The component that it is about; `nil` when it is about none, or about one by name only.
    fileprivate var component: String? {
        switch self {
        case .attemptStarted(let name, _), .attemptFailed(let name, _, _),
            .retryScheduled(let name, _, _), .fallbackStarted(let name, _),
            .componentReady(let name, _), .componentFailed(let name, _, _),
            .componentSkipped(let name, _, _), .componentStopping(let name),
            .componentStopped(let name):
            name
        case .bootStarted, .phaseStarted, .phaseEnded, .checkpoint, .ready, .bootCompleted,
            .bootFailed, .bootDeadlineExceeded, .stopRequested, .rollbackStarted, .rollbackEnded,
            .drainStarted, .drainEnded, .shutdownEnded:
            nil
        }
    }
}
