import Effects
import HardwareModel
import Initialization
import Measurements
import Scenarios
import SimulatedEffects
import Units

/// What the boots of one replication came to.
struct BootFigures {
    private(set) var begun = 0
    private(set) var failed = 0
    /// Boots that a crash ended before READY.
    private(set) var cutShort = 0
    private(set) var boots: [Boot] = []
    /// Why boots failed, each reason once and how often; at most `reasonLimit`.
    private(set) var reasons: [(text: String, count: Int)] = []
    private static let reasonLimit = 5
    private(set) var markers: [Marker] = []
    private(set) var outcomesChecked: UInt64 = 0
    private(set) var outcomeViolations: [Violation] = []
    private(set) var endsChecked: UInt64 = 0
    private(set) var leftovers: [Violation] = []
    /// The last life of each node, for pictures.
    private(set) var last: [NodeID: Picture] = [:]

    struct Boot {
        var node: NodeID
        var time: Interval
        var phases: [(phase: BootPhase, time: Interval)]
        /// No boot with these costs is faster.
        var path: CriticalPath
        /// Of the uncontended times of what READY waited for.
        var sum: Interval
        var cpu: Interval
        var cores: Int
        var isDegraded: Bool
    }

    struct Picture {
        var trace: BootTrace
        var end: Instant
    }

    mutating func add(_ life: NodeLife, end: Instant) {
        guard let trace = life.trace else { return }
        begun += 1
        last[life.node] = Picture(trace: trace, end: end)
        if let ready = trace.ready {
            boots.append(Boot(life, trace, ready: ready))
            markers.append(
                Marker(
                    time: ready,
                    node: life.node.description,
                    kind: Marker.bootReady,
                    fields: [Field(Marker.secondsField, (ready - trace.start).seconds)]
                )
            )
        }
        guard life.process.isAlive, let outcome = life.outcome else {
            if trace.ready == nil { cutShort += 1 }
            return
        }
        if trace.ready == nil {
            failed += 1
            note(trace.failure ?? "ended before it was READY")
        }
        check(outcome, trace, life, at: end)
    }

    private mutating func note(_ reason: String) {
        if let known = reasons.firstIndex(where: { $0.text == reason }) {
            reasons[known].count += 1
        } else if reasons.count < BootFigures.reasonLimit {
            reasons.append((reason, 1))
        }
    }

    /// A boot of a real process.
    mutating func add(_ real: RealBoot) {
        begun += 1
        if let trace = real.trace { last[real.node] = Picture(trace: trace, end: real.end) }
        if let boot = real.boot, let ready = real.trace?.ready {
            boots.append(boot)
            markers.append(
                Marker(
                    time: ready,
                    node: real.node.description,
                    kind: Marker.bootReady,
                    fields: [Field(Marker.secondsField, boot.time.seconds)]
                )
            )
        } else {
            failed += 1
            note(real.trace?.failure ?? real.outcomeText)
        }
        outcomesChecked += 1
        if !real.isRightOutcome {
            let message = "\(real.node) \(real.outcomeText)"
            outcomeViolations.append(Violation(time: real.end, message: message))
        }
        endsChecked += 1
        leftovers += real.leftovers.map {
            Violation(time: real.end, message: "\(real.node): \($0)")
        }
    }

    /// A boot that a crash was put into.
    mutating func addCutShort() {
        begun += 1
        cutShort += 1
    }

    private mutating func check(
        _ outcome: LifecycleOutcome,
        _ trace: BootTrace,
        _ life: NodeLife,
        at end: Instant
    ) {
        outcomesChecked += 1
        endsChecked += 1
        let left: [String]
        let isRight: Bool
        switch outcome {
        case .stopped(let names):
            left = names
            isRight = trace.ready != nil && !trace.mustFail
        case .failed(_, _, let names):
            left = names
            isRight = trace.mustFail
        case .late(_, let names):
            left = names
            isRight = trace.ready == nil && trace.failure != nil
        case .cancelled(let names):
            // Nobody asked for it.
            left = names
            isRight = false
        }
        if !isRight {
            let message = "\(life.node) ended as \(outcome) against the criticality of what failed"
            outcomeViolations.append(Violation(time: end, message: message))
        }
        let ports = life.process.host.ports.open
        let files = life.process.effects.machine.usage().openFiles
        if !left.isEmpty || !ports.isEmpty || files > 0 {
            let message =
                "\(life.node) left \(left.count) components, \(ports.count) ports, \(files) files"
            leftovers.append(Violation(time: end, message: message))
        }
    }
}

extension BootFigures.Boot {
    init(_ life: NodeLife, _ trace: BootTrace, ready: Instant) {
        node = life.node
        time = ready - trace.start
        phases = trace.phaseTimes
        let graph = trace.graph
        // What failed, was left out or replaced had other times, and bounds nothing.
        let times = graph.components.indices.map { position -> Interval in
            guard trace.states[position] == .ready(fallback: false) else { return .zero }
            return life.costs[graph.components[position].name]?.uncontended ?? .zero
        }
        path = graph.criticalPath(times)
        sum = graph.awaited.reduce(.zero) { $0 + times[$1] }
        cpu = life.cpuAtReady
        cores = life.process.host.settings.profile.cores
        isDegraded = trace.isDegraded
    }
}

extension ComponentGraph {
    /// Positions of the components that READY waits for, directly or below others, ascending.
    var awaited: [Int] {
        var isAwaited = components.map(\.holdsReadiness)
        for position in order.reversed() where isAwaited[position] {
            for prerequisite in prerequisites[position] { isAwaited[prerequisite] = true }
        }
        return isAwaited.indices.filter { isAwaited[$0] }
    }
}

// MARK: - Into the record

extension BootFigures {
    func write(into record: inout RunRecord) {
        record.metrics += metrics
        record.markers += markers
        record.invariants += [
            InvariantOutcome(
                name: Scenario.Invariant.bootOutcomeMatchesCriticality.rawValue,
                checked: outcomesChecked,
                violations: outcomeViolations
            ),
            InvariantOutcome(
                name: Scenario.Invariant.rollbackLeavesNothing.rawValue,
                checked: endsChecked,
                violations: leftovers
            ),
        ]
        let degraded = boots.count(where: \.isDegraded)
        record.facts.append(
            Fact(
                "boots",
                "\(begun) begun, \(boots.count) READY, \(degraded) of them degraded, "
                    + "\(failed) failed, \(cutShort) cut short by a crash"
            )
        )
        for reason in reasons {
            record.facts.append(Fact("boot failed", "\(reason.count) times: \(reason.text)"))
        }
        if let shortest {
            record.facts.append(Fact("critical path", shortest.path.text))
        }
        record.spans += spans
    }

    /// The boot whose critical path is the shortest: it bounds all.
    private var shortest: Boot? { boots.min { $0.path.length < $1.path.length } }

    private var metrics: [MetricValue] {
        var values = [
            MetricValue(
                "boot-failures",
                Double(failed),
                bound: PhysicalBound(.lower, 0, derivation: "a count")
            )
        ]
        guard let shortest else { return values }
        values.append(
            MetricValue(
                "boot-time",
                samples: boots.map(\.time.seconds),
                bound: PhysicalBound(
                    .lower,
                    shortest.path.length.seconds,
                    derivation: "critical path " + shortest.path.text
                )
            )
        )
        for phase in BootPhase.allCases {
            let times = boots.compactMap { boot in
                boot.phases.first { $0.phase == phase }?.time.seconds
            }
            guard !times.isEmpty else { continue }
            values.append(
                MetricValue(
                    "phase-time",
                    samples: times,
                    labels: [Label("phase", phase.rawValue)],
                    bound: PhysicalBound(.lower, 0, derivation: "phases end after they start")
                )
            )
        }
        values += speedup + cpuShare
        return values
    }

    /// Of boots whose components cost something.
    private var speedup: [MetricValue] {
        let timed = boots.filter { $0.path.length > .zero && $0.time > .zero }
        let best = timed.max { $0.speedupBound < $1.speedupBound }
        guard let best else { return [] }
        return [
            MetricValue(
                "boot-speedup",
                samples: timed.map { $0.sum.seconds / $0.time.seconds },
                bound: PhysicalBound(
                    .upper,
                    best.speedupBound,
                    derivation: "sum \(best.sum) / critical path \(best.path.text)"
                )
            )
        ]
    }

    private var cpuShare: [MetricValue] {
        let timed = boots.filter { $0.time > .zero }
        guard !timed.isEmpty else { return [] }
        return [
            MetricValue(
                "cpu-share",
                samples: timed.map {
                    100 * $0.cpu.seconds / ($0.time.seconds * Double($0.cores))
                },
                bound: PhysicalBound(.upper, 100, derivation: "all cores of the node")
            )
        ]
    }

    /// The lanes of the node with the median boot time and of the slowest; of one that failed when
    /// none was READY.
    private var spans: [Span] {
        let ranked = boots.sorted { ($0.time, $0.node) < ($1.time, $1.node) }.map(\.node)
        var nodes: [NodeID] = []
        if ranked.isEmpty {
            nodes = last.keys.sorted().prefix(1).map { $0 }
        } else {
            for node in [ranked[(ranked.count - 1) / 2], ranked[ranked.count - 1]]
            where !nodes.contains(node) { nodes.append(node) }
        }
        return nodes.flatMap { node -> [Span] in
            guard let picture = last[node] else { return [] }
            return picture.trace.spans(lane: node.description, until: picture.end)
        }
    }
}

extension BootFigures.Boot {
    fileprivate var speedupBound: Double { sum.seconds / path.length.seconds }
}

extension CriticalPath {
    /// `environment → configuration → …: 12.4 s`.
    var text: String {
        components.isEmpty ? "none: 0 s" : "\(components.joined(separator: " → ")): \(length)"
    }
}
