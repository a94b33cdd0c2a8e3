public import DataSets
public import FaultInjection
public import HardwareModel
public import LinkModel
public import Machines
public import Measurements
public import RaftDefects
public import Scenarios
public import SimulationKernel
public import Units

/// One kind of workload: which machines it puts on the nodes, and which figures follow from what
/// they report.
///
/// The same value serves simulation and sockets; it knows nothing of either.
public protocol Experiment: Sendable {
    associatedtype Program: Machine where Program.Event: Codable
    associatedtype Observer: ExperimentObserver where Observer.Program == Program

    init(_ setting: ReplicationSetting)
    /// The machine that a node is born with.
    func makeMachine(_ birth: Birth<Program>) -> Program
    /// Listens to one replication.
    func makeObserver() -> Observer

    /// How long facts of real processes wait for those that may have happened before them; zero, the
    /// default, for observers that do not hold the facts of several nodes against each other.
    static var factPatience: Interval { get }
    /// Whether a real run goes on when somebody kills a node's process, as after a crash of the scenario;
    /// by default the run has failed.
    static var outlivesKills: Bool { get }
}

extension Experiment {
    public static var factPatience: Interval { .zero }
    public static var outlivesKills: Bool { false }
}

/// Collects what machines report and turns it into figures.
public protocol ExperimentObserver: RunObserver {
    /// Adds metrics, invariants, markers, series and facts to the record of a replication.
    func measure(_ ending: ReplicationEnding, into record: inout RunRecord)
}

/// Everything that determines one replication.
public struct ReplicationSetting: Sendable {
    public var scenario: Scenario
    public var variant: Scenario.Variant
    public var seed: UInt64
    public var profile: HardwareProfile
    /// The memory that the workload moves, where it moves any.
    public var dataSet: MemoryDataSet?
    /// What real boots took, where the workload names it.
    public var recording: BootRecording?
    /// How machines' biased points strike in simulation; `nil` for not at all.
    public var biasedPoints: BiasedPoints.Chances?
    /// The planned faults that are carried out; all without it.
    public var keptFaults: [PlannedFault.Name]?
    /// A known defect that is planted into consensus; only to see whether it is found.
    public var defect: RaftDefect?
    /// Writes the run down for people; nobody does without it.
    public var recorder: TraceRecorder?
    /// The distance of samples and of fingerprint checkpoints in simulation.
    public let sampling: Interval
    private var plannedFaults: FaultPlan?

    /// What a swarm leaves open is drawn from the seed.
    ///
    /// - Parameter digest: The scenario's digest where it is known already.
    public init(
        scenario: Scenario,
        variant: Scenario.Variant,
        seed: UInt64,
        profile: HardwareProfile,
        dataSet: MemoryDataSet?,
        recording: BootRecording? = nil,
        digest: String? = nil
    ) {
        self.scenario = scenario.drawn(seed: seed, digest: digest)
        self.variant = self.scenario.variant(named: variant.name) ?? variant
        biasedPoints = scenario.swarm?.points
        // Nobody draws curves of one seed among thousands, and samples are a part of its time that shows.
        sampling = scenario.swarm == nil ? .milliseconds(100) : .milliseconds(500)
        self.seed = seed
        self.profile = profile
        self.dataSet = dataSet
        self.recording = recording
    }

    /// The faults of this replication.
    public var faultPlan: FaultPlan {
        plannedFaults ?? FaultPlan(scenario, seed: seed).keeping(keptFaults)
    }

    /// The same with its faults planned, for several who ask for them; nothing may be changed any more.
    func withFaultsPlanned() -> ReplicationSetting {
        var setting = self
        setting.plannedFaults = faultPlan
        return setting
    }
}

/// How a replication ended, and what its links had done by then.
public struct ReplicationEnding: Sendable {
    /// The run's time at its end.
    public var time: Instant
    /// Why it ended; `nil` when the experiment was finished.
    public var reason: RunEnd?
    /// Links in the network's order; empty on sockets without an emulator, where nobody counts packets.
    public var links: [LinkFigures]
    /// What flows of others did; `nil` where there are none.
    public var cross: CrossFigures?
    /// The runs that the harm to those flows is measured against, as the scenario orders them.
    var baselines: [HarmBaseline] = []
    /// When the links were asked; on sockets a little after the end.
    public var linksUntil: Instant
    /// What the nodes' processes used; `nil` in simulation, where nodes have none.
    var processors: ProcessorUse?

    public init(time: Instant, reason: RunEnd?, links: [LinkFigures]) {
        self.time = time
        self.reason = reason
        self.links = links
        linksUntil = time
    }

    /// Whether the scenario's links were there; where they were not, they bound no figure.
    public var isShaped: Bool { !links.isEmpty }

    /// The link between two regions; `nil` where no links were there.
    public func link(from: RegionID, to: RegionID) -> LinkFigures? {
        links.first { $0.from == from && $0.to == to }
    }
}

extension ReplicationEnding {
    /// A bound that follows from the scenario's links; `nil` where they were not there.
    func bound(
        _ side: BoundSide,
        _ limit: Double,
        derivation: String
    ) -> PhysicalBound? {
        isShaped ? PhysicalBound(side, limit, derivation: derivation) : nil
    }

    /// No link may carry more than its free rate allows in the run's time, plus the packet that is
    /// being sent at its end.
    package var linkRates: InvariantOutcome {
        let violations = links.compactMap { link -> Violation? in
            let bits = link.parameters.freeBits(from: .zero, to: linksUntil) + link.traceBits
            let limit = bits / 8 + 1514
            guard Double(link.counters.departedBytes) > limit else { return nil }
            return Violation(
                time: time,
                message: "link \(link.name) carried \(link.counters.departedBytes) B, "
                    + "its rate allows \(Int(limit)) B"
            )
        }
        return InvariantOutcome(
            name: Scenario.Invariant.linkRateRespected.rawValue,
            checked: UInt64(links.count),
            violations: violations
        )
    }
}

extension ReplicationEnding {
    /// What queues that mark did with packets; those with nothing to tell are left out.
    var markFacts: [Fact] {
        links.compactMap { link in
            let counters = link.counters
            let dropped = counters.droppedEarly + counters.droppedByQueue
            guard link.parameters.discipline.marks, counters.marked + dropped > 0 else {
                return nil
            }
            return Fact(
                "marks, \(link.name)",
                "\(counters.marked) of \(counters.offeredPackets) packets marked, "
                    + "\(dropped) dropped by the queue"
            )
        }
    }
}

extension QueueDiscipline {
    fileprivate var marks: Bool {
        switch self {
        case .dropTail, .fair: false
        case .coDel(let delay), .fairCoDel(_, let delay): delay.marks
        }
    }
}

/// What one directed link could do and did.
public struct LinkFigures: Sendable {
    public var name: String
    public var from: RegionID
    public var to: RegionID
    public var parameters: LinkParameters
    public var counters: LinkCounters
    /// What traces that faults put in the rate's place can have let through besides.
    public var traceBits = 0.0

    public init(
        name: String,
        from: RegionID,
        to: RegionID,
        parameters: LinkParameters,
        counters: LinkCounters
    ) {
        self.name = name
        self.from = from
        self.to = to
        self.parameters = parameters
        self.counters = counters
    }

    /// The bits per second that other traffic leaves.
    public var freeRate: Double {
        Double(parameters.rate.bitsPerSecond) * (1 - parameters.backgroundLoad.value)
    }
}
