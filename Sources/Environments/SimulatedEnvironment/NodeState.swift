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

    // Timers.
    var timers: [Program.Timer: UInt32] = [:]
    var timerSlots = SlotTable<(timer: Program.Timer, token: EventToken)>()

    // Work.
    var cores: CoreSchedule
    var jobs = SlotTable<(id: JobID, output: Program.Job.Output, token: EventToken)>()

    // Durability.
    var disk: DiskModel
    var diskFaults = ActiveDiskFaults()
    /// Batches given to the disk and not yet durable, oldest first.
    var writing = SlotTable<(id: WriteID, records: [[UInt8]], token: EventToken)>()
    /// The durable records in their byte form, oldest first.
    var durable: [[UInt8]] = []

    // Streams.
    var connections: [StreamID: Connection] = [:]

    /// Application bytes that streams delivered to this node.
    var streamBytesReceived: UInt64 = 0

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

    var isPaused: Bool { !pausedBy.isEmpty }

    init(node: NodeID, profile: HardwareProfile) {
        self.node = node
        origin = EventOrigin(EntityID(node))
        chain = HashChain(key: UInt64(EntityID(node).rawValue))
        cores = CoreSchedule(cores: profile.cores)
        disk = DiskModel(profile)
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
}
