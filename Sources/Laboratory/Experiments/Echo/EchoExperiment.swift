public import Echoing
public import Machines
public import Measurements
import Scenarios
public import Units

/// The workload kind `echo`: clients ping a server that remembers, and echo byte streams.
public struct EchoExperiment: Experiment {
    private let setting: ReplicationSetting
    private let workload: Scenario.EchoWorkload
    /// What each ping carries.
    private static let payloadBytes = 64

    public init(_ setting: ReplicationSetting) {
        guard case .echo(let workload) = setting.scenario.workload else {
            preconditionFailure("an echo experiment of kind \(setting.scenario.workload.kind)")
        }
        self.setting = setting
        self.workload = workload
    }

    public func makeMachine(_ birth: Birth<Echo>) -> Echo {
        guard clients.contains(birth.node) else { return .server(birth) }
        let plan = EchoPlan(
            server: server,
            pings: UInt64(workload.requests),
            payloadBytes: EchoExperiment.payloadBytes,
            spacing: workload.interval,
            timeout: workload.timeout,
            attempts: UInt32(workload.attempts),
            streamBytes: Int(workload.stream.bytes),
            streams: UInt32(workload.streams)
        )
        return .client(birth, plan: plan)
    }

    public func makeObserver() -> EchoObserver {
        EchoObserver(
            clients: clients,
            requests: clients.count * workload.requests,
            roundTrip: setting.scenario.topology.roundTrip(from: workload.from, to: workload.to),
            offered: Double(clients.count) / workload.interval.seconds,
            streams: workload.stream.bytes > 0 ? clients.count * workload.streams : 0
        )
    }

    private var server: NodeID { setting.scenario.topology.nodes(of: workload.to)[0] }

    private var clients: [NodeID] {
        setting.scenario.topology.nodes(of: workload.from).filter { $0 != server }
    }
}

/// Turns what echo clients and servers report into latencies, errors and violations.
public struct EchoObserver: ExperimentObserver {
    public typealias Program = Echo

    let clients: [NodeID]
    let requests: Int
    /// Propagation there and back.
    let roundTrip: Interval
    /// Requests per second of all clients.
    let offered: Double
    let streams: Int

    private var latencies: [Double] = []
    private var failed = 0
    private var echoed = 0
    private var done = 0
    private var forgotten: [Violation] = []
    private var changed: [Violation] = []
    private var markers: [Marker] = []

    init(
        clients: [NodeID],
        requests: Int,
        roundTrip: Interval,
        offered: Double,
        streams: Int
    ) {
        self.clients = clients
        self.requests = requests
        self.roundTrip = roundTrip
        self.offered = offered
        self.streams = streams
    }

    public var isFinished: Bool { done == clients.count }

    public mutating func observe(_ event: EchoEvent, on node: NodeID, at time: Instant) {
        switch event {
        case .answered(let sequence, let latency, _, let equal):
            latencies.append(Interval(nanoseconds: latency).milliseconds)
            if !equal {
                let message = "\(node): the answer to ping \(sequence) carries another payload"
                changed.append(Violation(time: time, message: message))
            }
        case .unanswered(_, let waited):
            latencies.append(Interval(nanoseconds: waited).milliseconds)
            failed += 1
        case .echoed(let bytes, let equal):
            echoed += 1
            if !equal {
                let message = "\(node): a stream of \(bytes) B came back changed"
                changed.append(Violation(time: time, message: message))
            }
        case .forgot(let claimed, let before):
            let message = "the server remembers \(claimed) numbers after it had answered \(before)"
            forgotten.append(Violation(time: time, message: message))
        case .serving(let incarnation, let recovered):
            markers.append(
                Marker(
                    time: time,
                    node: node.description,
                    kind: "echo.serving",
                    fields: [
                        Field("incarnation", Double(incarnation)),
                        Field("recovered", Double(recovered)),
                    ]
                )
            )
        case .done:
            done += 1
        }
    }

    public func measure(_ ending: ReplicationEnding, into record: inout RunRecord) {
        let answered = latencies.count - failed
        let atLeast = ending.bound(
            .lower,
            roundTrip.milliseconds,
            derivation: "propagation there and back, \(roundTrip)"
        )
        record.metrics += [
            MetricValue("request-latency", samples: latencies, bound: atLeast),
            MetricValue(
                "error-rate",
                latencies.isEmpty ? 0 : 100 * Double(failed) / Double(latencies.count),
                bound: PhysicalBound(.upper, 100, derivation: "all requests")
            ),
        ]
        // The first requests are sent at the start, so a window of n requests lasts n−1 spacings and
        // the time of the last answer; it may be short by one spacing, never long.
        let window = max(ending.time.seconds, Double(requests) / offered)
        if window > 0 {
            record.metrics.append(
                MetricValue(
                    "throughput",
                    Double(answered) / window,
                    bound: PhysicalBound(.upper, offered, derivation: "offered load")
                )
            )
        }
        record.markers += markers
        record.invariants += [
            InvariantOutcome(
                name: Scenario.Invariant.echoesAnsweredUnchanged.rawValue,
                checked: UInt64(answered + echoed),
                violations: changed
            ),
            InvariantOutcome(
                name: Scenario.Invariant.acknowledgedWritesSurvive.rawValue,
                checked: UInt64(answered),
                violations: forgotten
            ),
        ]
        record.facts += [
            Fact("requests", "\(requests) sent, \(answered) answered, \(failed) given up"),
            Fact("streams", "\(echoed) of \(streams) echoed"),
        ]
    }
}

extension Scenario.Topology {
    /// Propagation between two regions, there and back.
    package func roundTrip(from: RegionID, to: RegionID) -> Interval {
        guard from != to else { return regions[Int(from.rawValue)].local.delay * 2 }
        let there = link(from: from, to: to)?.path.delay ?? .zero
        let back = link(from: to, to: from)?.path.delay ?? .zero
        return there + back
    }
}
