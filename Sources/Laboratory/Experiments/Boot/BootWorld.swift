import FaultInjection
import HardwareModel
import Initialization
import Measurements
import Scenarios
import SimulatedEffects
import SimulationKernel
import Units

/// Everything that the nodes of one replication share.
final class BootWorld: @unchecked Sendable {
    // Unchecked, because every use is confined to the executor's thread.

    let setting: ReplicationSetting
    let workload: Scenario.BootWorkload
    let executor: VirtualExecutor
    let faults: BootFaults
    let costs: BootCosts
    let policy: BootPolicy
    let profile: HardwareProfile
    let services: [(name: String, service: SharedService)]
    /// Lives of nodes that are over, in order of their ends; those of a sweep are counted by it.
    var figures = BootFigures()
    private(set) var ready: SeriesRecorder
    private var nodesLeft = 0
    /// Whether a sweep of crash points is under way.
    var isSweeping = false
    /// The life of each node now, by its number.
    private var lives: [NodeID: NodeLife] = [:]
    private var readyCount = 0

    /// Reads the node's configuration; in graphs of models the component of this name does.
    static let configurationComponent = "configuration"

    init(_ setting: ReplicationSetting, _ workload: Scenario.BootWorkload) {
        self.setting = setting
        self.workload = workload
        let executor = VirtualExecutor(seed: setting.seed)
        self.executor = executor
        let services = workload.shared.enumerated().map { index, shared in
            let service = SharedService(
                SharedService.Configuration(shared),
                seed: setting.seed,
                entity: EntityID(.experiment, UInt32(index)),
                executor: executor
            )
            return (name: shared.name, service: service)
        }
        self.services = services
        let byName = Dictionary(uniqueKeysWithValues: services.map { ($0.name, $0.service) })
        faults = BootFaults(setting.faultPlan, services: byName)
        costs =
            setting.recording.map { BootCosts($0, sigma: workload.sigma) }
            ?? BootCosts(workload, services: byName)
        policy = BootPolicy(setting.variant.system.initialization)
        profile = setting.profile.adapted(to: workload, isRecorded: setting.recording != nil)
        ready = SeriesRecorder(name: "ready-nodes", unit: "nodes", kind: .level)
    }

    /// Whether the graph is made of models.
    var isModelled: Bool {
        if case .components = workload.graph { true } else { false }
    }

    /// A host without anything on it.
    func makeHost(_ node: NodeID) -> SimulatedHost {
        let path = NetworkPath(roundTrip: .microseconds(200), rate: .gigabits(10))
        return SimulatedHost(
            node,
            settings: HostSettings(
                name: "node-\(node.rawValue)",
                address: "10.0.\(node.rawValue / 256).\(node.rawValue % 256)",
                profile: profile,
                diskCapacity: .gibibytes(256)
            ),
            seed: setting.seed,
            executor: executor,
            // Nodes that boot ask shared services, not each other.
            network: SimulatedNetwork(defaultPath: path)
        )
    }

    /// Whether nobody boots any more.
    var isFinished: Bool { nodesLeft == 0 && !isSweeping }

    // MARK: - Nodes

    /// Starts the boots of a node: once, and again after every crash and repair.
    func addNode(_ node: NodeID, startingAt offset: Interval) {
        nodesLeft += 1
        executor.start { [self] in
            let host = makeHost(node)
            await live(node, on: host, from: offset)
            nodesLeft -= 1
        }
    }

    private func live(_ node: NodeID, on host: SimulatedHost, from offset: Interval) async {
        var wait: Interval? = offset
        var incarnation = await prepare(host)
        var struckBy: Int?
        while let pause = wait {
            // The executor's own clock: the node is not there to cancel it.
            try? await executor.sleep(until: executor.now.advanced(by: pause))
            if let fault = struckBy { faults.restarted(fault, now: executor.now) }
            struckBy = nil
            let torn = faults.torn(node, now: executor.now)
            if !isModelled { RealGraph.configure(host, isTorn: torn != nil) }
            let process = host.startProcess(incarnation: incarnation)
            let life = NodeLife(self, process: process)
            lives[node] = life
            await life.run()
            figures.add(life, end: executor.now)
            process.end()
            if let crash = life.crash {
                wait = crash.restart
                struckBy = crash.id
            } else if !life.isReady, let torn, let until = torn.until {
                // Somebody repairs the file and starts the node again.
                wait = max(.zero, until - executor.now)
            } else {
                wait = nil
            }
            incarnation += 1
        }
    }

    /// Makes the host what the workload starts from and gives the number of its first life. A warm one
    /// has what a life left that ended in order, without costs and faults, and that enters no figure.
    func prepare(_ host: SimulatedHost) async -> UInt32 {
        guard workload.start == .warm else { return 0 }
        RealGraph.configure(host, isTorn: false)
        let process = host.startProcess(incarnation: 0)
        await NodeLife(self, process: process, isMeasured: false).run()
        process.end()
        return 1
    }

    func noteReady() {
        readyCount += 1
        ready.set(Double(readyCount), at: executor.now)
    }

    /// A crash from outside strikes the nodes that run.
    func crash(_ nodes: [NodeID], by id: Int, until healed: Instant?) {
        for node in nodes {
            guard let life = lives[node], life.process.isAlive, life.outcome == nil else {
                continue
            }
            let restart = healed.map { $0 - executor.now }
            faults.struck(id, now: executor.now, restarts: restart != nil)
            life.crashed(by: id, restart: restart)
            life.process.host.crash()
        }
    }
}
