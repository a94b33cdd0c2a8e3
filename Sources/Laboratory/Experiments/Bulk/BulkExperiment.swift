import LinkModel
public import Machines
import Measurements
import Scenarios
import Transport
import Units

/// The workload kind `bulk`: nodes send to others without end, and the steady part is measured. Each
/// transfer has a receiver and a window of its own; transfers from one region have one sender.
public struct BulkExperiment: Experiment {
    private let transfers: [BulkTransferPlan]
    private let content: BulkContent

    public init(_ setting: ReplicationSetting) {
        guard case .bulk(let workload) = setting.scenario.workload else {
            preconditionFailure("a bulk experiment of kind \(setting.scenario.workload.kind)")
        }
        content = BulkContent(seed: setting.seed)
        let all = workload.transfers
        transfers = all.indices.map { index in
            // Transfers that share a receiving region each have a node of it.
            let place = all[..<index].count { $0.to == all[index].to }
            return BulkTransferPlan(all[index], among: all, setting, receiver: place)
        }
    }

    public func makeMachine(_ birth: Birth<BulkNode>) -> BulkNode {
        let all = transfers.filter { $0.sender == birth.node }
        if all.count > 1 || all.first?.share.most != nil {
            return BulkNode(birth, sharing: all.map(\.order), content: content)
        }
        let sent = all.first
        let plan = sent ?? transfers.first { $0.receiver == birth.node } ?? transfers[0]
        return BulkNode(
            birth,
            sendingTo: sent?.receiver,
            at: plan.transfer.start,
            until: plan.transfer.horizon,
            configuration: plan.configuration,
            content: content
        )
    }

    public func makeObserver() -> BulkObserver { BulkObserver(transfers) }
}

/// One transfer of a scenario: who sends to whom, over which link, and how.
struct BulkTransferPlan: Sendable {
    let transfer: Scenario.BulkWorkload.Transfer
    let sender: NodeID
    let receiver: NodeID
    let link: Scenario.PathProperties
    let linkName: String
    let ends: [TransferEnd]
    let roundTrip: Interval
    let configuration: TransportConfiguration
    let share: TransferShare
    /// Whether another transfer takes the same link, and whether another has the same sender.
    let sharesLink: Bool
    let sharesSender: Bool

    /// - Parameter place: of the receiver among its region's nodes.
    init(
        _ transfer: Scenario.BulkWorkload.Transfer,
        among all: [Scenario.BulkWorkload.Transfer],
        _ setting: ReplicationSetting,
        receiver place: Int
    ) {
        let topology = setting.scenario.topology
        let sender = topology.nodes(of: transfer.from)[0]
        let others = topology.nodes(of: transfer.to).filter { $0 != sender }
        precondition(place < others.count, "region \(transfer.to) has no node to send to")
        let receiver = others[place]
        self.transfer = transfer
        self.sender = sender
        self.receiver = receiver
        ends = [
            TransferEnd(
                region: topology.regions[Int(transfer.from.rawValue)].name,
                nodes: [sender]
            ),
            TransferEnd(
                region: topology.regions[Int(transfer.to.rawValue)].name,
                nodes: [receiver]
            ),
        ]
        link = topology.bottleneck(from: transfer.from, to: transfer.to)
        linkName =
            topology.link(from: transfer.from, to: transfer.to)?.name
            ?? topology.regions[Int(transfer.from.rawValue)].name
        roundTrip = topology.roundTrip(from: transfer.from, to: transfer.to)
        share = TransferShare(transfer.share)
        var configuration = TransportConfiguration(
            setting.variant.system.transport,
            link: topology.estimate(from: transfer.from, to: transfer.to)
        )
        configuration.chunkSize = share.chunkSize(atMost: configuration.chunkSize)
        self.configuration = configuration
        sharesSender = all.count { $0.from == transfer.from } > 1
        sharesLink = all.count { $0.from == transfer.from && $0.to == transfer.to } > 1
    }

    /// The transfer as one of several of its sender.
    var order: BulkOrder {
        BulkOrder(
            to: receiver,
            configuration: configuration,
            share: share,
            from: transfer.start,
            until: transfer.horizon
        )
    }

    /// What tells the transfer's figures from those of others.
    func labels(isLabelled: Bool) -> [Label] {
        (isLabelled ? [Label("link", linkName)] : [])
            + (transfer.name.map { [Label("transfer", $0)] } ?? [])
    }

    /// The same behind the name of a fact.
    func suffix(isLabelled: Bool) -> String {
        if let name = transfer.name { return ", \(name)" }
        return isLabelled ? ", \(linkName)" : ""
    }
}

extension TransferShare {
    /// Without a share a transfer counts like any other.
    init(_ share: Scenario.BulkWorkload.Share?) {
        self.init(weight: share?.weight ?? 1, least: share?.least, most: share?.most)
    }
}

extension TransportConfiguration {
    /// A scenario's `transport` section for a path.
    init(_ transport: Scenario.SystemConfiguration.Transport, link: LinkEstimate) {
        let streams: StreamCount =
            switch transport.streams {
            case .automatic: .automatic
            case .fixed(let count): .fixed(count)
            }
        self.init(
            link: link,
            streams: streams,
            congestionControl: CongestionControl(transport.congestion)
        )
        if transport.congestion == .automatic {
            // A fixed number of streams stays; only their control is free.
            var rules = tuning ?? StreamTuner.Rules(streams: self.streams...self.streams)
            rules.choosesControl = true
            tuning = rules
        }
        if let chunk = transport.chunk {
            chunkSize = Int(chunk.bytes)
            tunesChunks = false
        }
        window = Int(transport.window.bytes)
        sendBuffer = window
        pacing = transport.pacing
        mode = transport.mode.map(PathModeChoice.init)
        deadline = transport.deadline
    }
}

extension PathModeChoice {
    init(_ mode: Scenario.SystemConfiguration.Transport.Mode) {
        switch mode {
        case .automatic: self = .automatic
        case .datacenter: self = .fixed(.datacenter)
        case .regional: self = .fixed(.regional)
        case .internet: self = .fixed(.internet)
        }
    }
}

extension CongestionControl {
    init(_ name: Scenario.SystemConfiguration.Transport.Congestion) {
        switch name {
        // Where the transport chooses, it begins with what yields to others.
        case .cubic, .automatic: self = .cubic
        case .bbr: self = .bbr
        case .newreno: self = .newReno
        }
    }
}

extension Scenario.Topology {
    /// The path that data from one region to another takes.
    func bottleneck(from: RegionID, to: RegionID) -> Scenario.PathProperties {
        link(from: from, to: to)?.path ?? regions[Int(from.rawValue)].local
    }

    /// What a transport is told about a path before it starts.
    func estimate(from: RegionID, to: RegionID) -> LinkEstimate {
        let path = bottleneck(from: from, to: to)
        let free = Double(path.rate.bitsPerSecond) * (1 - path.background.value)
        return LinkEstimate(
            rate: BitRate(bitsPerSecond: max(1, Int64(free))),
            rtt: roundTrip(from: from, to: to)
        )
    }
}
