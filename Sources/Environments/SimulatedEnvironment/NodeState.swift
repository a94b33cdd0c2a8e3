import Determinism
import HardwareModel
import Machines
import NetworkModel
import SimulationKernel
import Units

/// What the simulated world keeps for one node besides its machine.
struct NodeState<Program: Machine> {
    let node: NodeID
    /// Orders this node's events among all others.
    var origin: EventOrigin
    /// Grows at each crash; events of an older incarnation are void.
    var incarnation: UInt32 = 0
    var chain: HashChain
    /// Numbers of the faults that keep the node down, and of those that make it stand still.
    var downBy: [Int] = []
    var pausedBy: [Int] = []
    /// What came while the node was paused, in order.
    var held: [Held] = []

    // Faults.
    var clock = NodeClock()
    /// What slows the node down, by number of the fault, each with draws of its own.
    var slowBy: [(number: Int, slowness: Slowness, draws: SeededRandom)] = []
    /// A slow node is busy with its last input.
    var isBusy = false
    /// Crashes that wait for a write, by number of the fault.
    var armed: [(number: Int, crash: WriteCrash)] = []

    // Timers.
    var timers = TimerTable<Program.Timer>()

    // Work.
    var cores: CoreSchedule
    var jobs = SlotTable<(id: JobID, output: Program.Job.Output, token: EventToken)>()

    // Durability.
    var disk: DiskModel
    var diskFaults = ActiveDiskFaults()
    /// A fault has struck that can take what was reported as durable.
    var hasFaithlessDisk = false
    /// What faults do to the disk by chance.
    var diskRandom: SeededRandom
    /// Batches given to the disk and not yet durable.
    var writing = SlotTable<Writing>()
    /// Numbers them in the order in which the disk writes them.
    var writes: UInt64 = 0
    /// The number of the oldest of them, or of the next one.
    var oldestWrite: UInt64 = 0
    var log: SimulatedLog

    // Streams.
    var connections: [StreamID: Connection] = [:]

    /// Application bytes that streams delivered to this node.
    var streamBytesReceived: UInt64 = 0

    /// A batch on its way to the disk.
    struct Writing {
        let number: UInt64
        let id: WriteID
        var token: EventToken
    }

    /// One side of a stream, from its opening until both sides finished or it was reset.
    struct Connection {
        let id: ConnectionID
        let side: ConnectionSide
        var hasFinished = false
        var hasPeerFinished = false

        var isOver: Bool { hasFinished && hasPeerFinished }
    }

    /// What waits for a paused node.
    enum Held {
        case input(Input<Program>)
        /// A timer that came due; what is delivered first may still cancel or move it.
        case timer(slot: UInt32, token: EventToken)
    }

    /// Whether a fault changes how the node takes an input.
    var isAffected: Bool { !clock.isTrue || !slowBy.isEmpty }

    /// Whether inputs have to wait.
    var isPaused: Bool { isBusy || !pausedBy.isEmpty }

    init(node: NodeID, profile: HardwareProfile, seed: UInt64) {
        self.node = node
        origin = EventOrigin(EntityID(node))
        chain = HashChain(key: UInt64(EntityID(node).rawValue))
        cores = CoreSchedule(cores: profile.cores)
        disk = DiskModel(profile)
        diskRandom = SeededRandom(
            seed: seed,
            entity: EntityID(node),
            purpose: "disk faults"
        )
        log = SimulatedLog(identity: UInt64(node.rawValue))
    }
}

/// What a local event of the simulated world means.
enum LocalKind: UInt32 {
    case timer
    case job
    case write
    /// A message from a node to itself.
    case loopback
    case fault
    case sample
    /// A crash during a write.
    case strike
    /// The end of such a crash.
    case recovery
    /// A slow node is done with an input.
    case idle
}
