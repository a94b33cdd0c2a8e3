public import DataSets
import DeltaEncoding
import HardwareModel
public import Machines
public import Migration
import Scenarios
import Transport
import Units

/// The workload kind `migration`: guests whose memory walks through recorded snapshots move from one
/// node to another while they run.
public struct MigrationExperiment: Experiment {
    private let setting: ReplicationSetting
    private let workload: Scenario.MigrationWorkload
    private let dataSet: MemoryDataSet
    private let configuration: MigrationConfiguration

    /// Traps when the setting has no data set: the campaign loads it first.
    public init(_ setting: ReplicationSetting) {
        guard case .migration(let workload) = setting.scenario.workload,
            let dataSet = setting.dataSet
        else { preconditionFailure("a migration needs its workload and a data set") }
        self.setting = setting
        self.workload = workload
        self.dataSet = dataSet
        configuration = MigrationConfiguration(
            setting.variant.system,
            link: setting.scenario.topology.estimate(from: workload.from, to: workload.to),
            concurrency: workload.concurrency,
            cores: setting.profile.cores
        )
    }

    public func makeMachine(_ birth: Birth<MigrationNode<SnapshotMemory>>)
        -> MigrationNode<SnapshotMemory>
    {
        guard birth.node == source, birth.incarnation == 0 else {
            return MigrationNode(birth, configuration: configuration)
        }
        // Each guest is at another place of the same walk: equal memories at equal times would let
        // the guests' rounds line up.
        let orders = (0..<workload.count).map { guest in
            MigrationOrder(
                memory: SnapshotMemory(
                    dataSet: dataSet,
                    start: .zero - dataSet.duration * Int64(guest) / Int64(workload.count),
                    seed: setting.seed &+ UInt64(guest)
                ),
                to: destination
            )
        }
        return MigrationNode(birth, configuration: configuration, orders: orders)
    }

    public func makeObserver() -> MigrationObserver {
        let topology = setting.scenario.topology
        return MigrationObserver(
            workload: workload,
            memory: SnapshotMemory(dataSet: dataSet, start: .zero, seed: setting.seed),
            path: topology.bottleneck(from: workload.from, to: workload.to),
            roundTrip: topology.roundTrip(from: workload.from, to: workload.to),
            streams: configuration.transport.streams,
            ends: [
                TransferEnd(
                    region: topology.regions[Int(workload.from.rawValue)].name,
                    nodes: [source]
                ),
                TransferEnd(
                    region: topology.regions[Int(workload.to.rawValue)].name,
                    nodes: [destination]
                ),
            ]
        )
    }

    private var source: NodeID { setting.scenario.topology.nodes(of: workload.from)[0] }

    private var destination: NodeID {
        let nodes = setting.scenario.topology.nodes(of: workload.to)
        guard let node = nodes.first(where: { $0 != source }) else {
            preconditionFailure("region \(workload.to) has no node to migrate to")
        }
        return node
    }
}

extension MigrationConfiguration {
    /// A variant's `system` section for a path.
    init(
        _ system: Scenario.SystemConfiguration,
        link: LinkEstimate,
        concurrency: Int,
        cores: Int
    ) {
        let transport = TransportConfiguration(system.transport, link: link)
        var rule = ConvergenceRule()
        rule.downtimeGoal = system.migration.downtimeGoal
        rule.roundLimit = system.migration.maximumRounds
        let encoding: EncodingConfiguration
        var pages = 64
        switch system.encoding {
        case .none:
            encoding = .raw
        case .hierarchical(let hierarchical):
            encoding = EncodingConfiguration(hierarchical)
            pages = hierarchical.batchPages
        }
        self.init(
            transport: transport,
            encoding: encoding,
            pagesPerBatch: pages,
            encodeJobs: max(2, 2 * cores),
            convergence: rule,
            concurrency: concurrency
        )
        // The instrument compares memories and keeps none of them.
        keepsMemory = false
    }
}

extension EncodingConfiguration {
    init(_ hierarchical: Scenario.SystemConfiguration.Encoding.Hierarchical) {
        guard let compression = Compression(rawValue: hierarchical.level) else {
            preconditionFailure("level \(hierarchical.level) was not checked")
        }
        self.init(form: .hierarchical, compression: compression)
    }
}
