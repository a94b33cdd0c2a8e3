public import Units

/// The world around a machine: carries out its actions.
///
/// Two kinds exist: simulated, and real media (sockets).
public protocol Environment<Program>: ~Copyable {
    associatedtype Program: Machine
    /// Carries out one action of the machine on `node`, which was stepped at `now` on its own clock.
    mutating func perform(_ action: consuming Action<Program>, on node: NodeID, at now: Instant)
}

/// Steps one machine and drains its actions into an environment.
///
/// The host keeps the node's life: its incarnation, its clock's offset, and whether it runs. The
/// environment drops inputs meant for an older incarnation and holds those of a paused node.
public struct Host<Program: Machine>: Sendable {
    public let node: NodeID
    public private(set) var machine: Program?
    public private(set) var incarnation: UInt32
    /// What is added to the environment's time to get the node's own monotonic clock.
    public var clockOffset: Interval
    /// Invariants are checked after one of so many steps; `nil` for never.
    private let stepsBetweenChecks: Int?
    private var steps = 0
    private var actions = Actions<Program>()

    /// - Parameters:
    ///   - checksInvariants: Whether the machine's invariants are checked after its steps.
    ///   - interval: After one of so many, at least one: what they cost may grow with the machine's state.
    public init(node: NodeID, checksInvariants: Bool = false, every interval: Int = 1) {
        precondition(interval > 0, "checks every \(interval) steps")
        self.node = node
        stepsBetweenChecks = checksInvariants ? interval : nil
        machine = nil
        incarnation = 0
        clockOffset = .zero
    }

    public var isRunning: Bool { machine != nil }

    /// Gives the node a machine and tells it that it started.
    public mutating func start<World: Environment & ~Copyable>(
        _ newborn: Program,
        at time: Instant,
        in world: inout World
    ) where World.Program == Program {
        precondition(machine == nil, "\(node) is already running")
        machine = newborn
        deliver(.started, at: time, in: &world)
    }

    /// Drops the machine; whatever belongs to its incarnation is void from now on.
    public mutating func crash() {
        machine = nil
        incarnation += 1
    }

    /// Delivers one input. Does nothing while no machine lives here.
    public mutating func deliver<World: Environment & ~Copyable>(
        _ input: consuming Input<Program>,
        at time: Instant,
        in world: inout World
    ) where World.Program == Program {
        let now = time + clockOffset
        guard machine != nil else { return }
        machine!.step(input, at: now, into: &actions)
        if let stepsBetweenChecks {
            steps += 1
            if steps >= stepsBetweenChecks {
                steps = 0
                machine!.checkInvariants()
            }
        }
        while let action = actions.popFirst() {
            world.perform(action, on: node, at: now)
        }
    }
}
