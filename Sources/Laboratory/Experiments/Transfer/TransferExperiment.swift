public import Machines
public import Measurements
import Scenarios
import Transport
public import Units

/// The workload kind `transfer`: a given amount goes from one node to another over ordinary byte
/// streams, and the time until its last byte is verified counts.
public struct TransferExperiment: Experiment {
    private let setting: ReplicationSetting
    private let workload: Scenario.TransferWorkload
    private let plan: TransferPlan
    private let content: TransferContent

    public init(_ setting: ReplicationSetting) {
        guard case .transfer(let workload) = setting.scenario.workload else {
            preconditionFailure("a transfer of kind \(setting.scenario.workload.kind)")
        }
        self.setting = setting
        self.workload = workload
        content = TransferContent(seed: setting.seed)
        let topology = setting.scenario.topology
        let configuration = TransportConfiguration(
            setting.variant.system.transport,
            link: topology.estimate(from: workload.from, to: workload.to)
        )
        let sender = topology.nodes(of: workload.from)[0]
        plan = TransferPlan(
            sender: sender,
            receiver: topology.nodes(of: workload.to).first { $0 != sender } ?? sender,
            amount: workload.amount.bytes,
            streams: configuration.streams,
            options: StreamOptions(
                congestionControl: configuration.congestionControl,
                receiveCredit: min(configuration.window, Int(UInt32.max))
            )
        )
    }

    public func makeMachine(_ birth: Birth<TransferNode>) -> TransferNode {
        TransferNode(birth, plan: plan, content: content)
    }

    public func makeObserver() -> TransferObserver {
        let topology = setting.scenario.topology
        return TransferObserver(
            workload: workload,
            streams: plan.streams,
            ends: [
                TransferEnd(
                    region: topology.regions[Int(workload.from.rawValue)].name,
                    nodes: [plan.sender]
                ),
                TransferEnd(
                    region: topology.regions[Int(workload.to.rawValue)].name,
                    nodes: [plan.receiver]
                ),
            ],
            link: topology.bottleneck(from: workload.from, to: workload.to),
            roundTrip: topology.roundTrip(from: workload.from, to: workload.to)
        )
    }
}

/// Turns completed streams into the time of the transfer.
public struct TransferObserver: ExperimentObserver {
    public typealias Program = TransferNode

    let workload: Scenario.TransferWorkload
    let streams: Int
    let ends: [TransferEnd]
    let link: Scenario.PathProperties
    let roundTrip: Interval

    private var completed = 0
    private var bytes: Int64 = 0
    private var end = Instant.zero
    private var violations: [Violation] = []
    private var lost: UInt32?

    init(
        workload: Scenario.TransferWorkload,
        streams: Int,
        ends: [TransferEnd],
        link: Scenario.PathProperties,
        roundTrip: Interval
    ) {
        self.workload = workload
        self.streams = streams
        self.ends = ends
        self.link = link
        self.roundTrip = roundTrip
    }

    public var isFinished: Bool { completed == streams || lost != nil || !violations.isEmpty }

    public mutating func observe(_ event: TransferNode.Event, on node: NodeID, at time: Instant) {
        switch event {
        case .completed(_, let count):
            completed += 1
            bytes += count
            end = max(end, time)
        case .differed(let stream, let offset):
            let message = "stream \(stream) brought something else than was sent at byte \(offset)"
            violations.append(Violation(time: time, message: message))
        case .lost(let stream):
            lost = lost ?? stream
        }
    }

    public func measure(_ ending: ReplicationEnding, into record: inout RunRecord) {
        record.invariants.append(
            InvariantOutcome(
                name: Scenario.Invariant.transferIdentical.rawValue,
                checked: UInt64(completed + violations.count),
                violations: violations
            )
        )
        record.facts += [
            Fact("streams", "\(streams)"),
            Fact("bytes", "\(bytes) of \(workload.amount.bytes), each compared"),
        ]
        if let lost {
            record.outcome = .failed(
                message: "stream \(lost) was lost, and its data with it"
            )
            return
        }
        guard completed == streams, violations.isEmpty else { return }
        let free = Double(link.rate.bitsPerSecond) * (1 - link.background.value)
        let seconds = (end - Instant.zero).seconds
        record.metrics += ending.processorCosts(of: bytes, ends, from: .zero, to: end)
        let share = link.payloadShare
        let wire = Double(bytes) / share.value * 8
        record.metrics.append(
            MetricValue(
                "transfer-time",
                seconds,
                bound: ending.bound(
                    .lower,
                    roundTrip.seconds / 2 + wire / free,
                    derivation: "half a round trip, and all bytes with headers at the free rate"
                )
            )
        )
        record.metrics.append(
            MetricValue(
                "goodput",
                Double(bytes) * 8 / seconds,
                bound: ending.bound(
                    .upper,
                    free * share.value,
                    derivation: "free rate × \(share.text)"
                )
            )
        )
    }
}
