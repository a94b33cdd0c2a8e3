public import Units

/// A protocol endpoint as a value: no I/O, clock, task, lock or global randomness.
///
/// A machine learns facts through `step` and answers with actions; whoever hosts it carries them
/// out. The same machine therefore runs in simulation and on sockets, unchanged.
///
/// - `Request`: commands of the local application.
/// - `Message`: datagrams exchanged with peers.
/// - `Timer`: names of the machine's own timers; setting one again moves it.
/// - `Write`: durable records, in the order in which they must survive.
/// - `Job`: heavy computation, run beside the machine.
/// - `Event`: facts for the application, for metrics and for checkers.
public protocol Machine: Sendable {
    associatedtype Request: Sendable = Never
    associatedtype Message: WireMessage = NoMessage
    associatedtype Timer: Hashable & Sendable = Never
    associatedtype Write: DurableRecord = NoRecord
    associatedtype Job: Work = NoWork
    associatedtype Event: Sendable = Never

    /// Takes one fact and appends what must follow from it. Never blocks, never fails: whatever a
    /// peer can cause is answered by an action.
    mutating func step(
        _ input: consuming Input<Self>,
        at now: Instant,
        into actions: inout Actions<Self>
    )

    /// Traps when the machine's own state contradicts itself. Costs may be high; checked runs call
    /// it after every step.
    func checkInvariants()

    /// The points that the machine took from its birth, for the coverage that a simulation reports;
    /// ``BiasedPoints/off`` unless the machine has any. A machine that consists of others adds theirs.
    var biasedPoints: BiasedPoints { get }

    /// The term in which the machine believes to lead its peers; `nil` when it does not, or knows no
    /// such office. Faults may be aimed at whoever leads.
    var leadership: UInt64? { get }

    /// Facts that the machine tells when a run ends while it lives, for checkers that compare machines
    /// with each other; nothing that it does depends on them. None unless a machine has any.
    var closingEvents: [Event] { get }
}

extension Machine {
    public func checkInvariants() {}
    public var biasedPoints: BiasedPoints { .off }
    public var leadership: UInt64? { nil }
    public var closingEvents: [Event] { [] }
}

/// What a machine is born with.
public struct Birth<Program: Machine>: Sendable {
    /// The node the machine lives on.
    public let node: NodeID
    /// Zero at first start, one more after each crash or restart.
    public let incarnation: UInt32
    /// Everything an earlier incarnation was told is durable, oldest first; from the latest record on
    /// that supersedes earlier ones.
    public let recovered: [Program.Write]
    /// The run's seed; the machine derives its streams with
    /// `SeededRandom(seed:entity:purpose:incarnation:)`.
    public let seed: UInt64
    /// Where a simulation may choose the unlikely way; off everywhere else.
    public let points: BiasedPoints

    public init(
        node: NodeID,
        incarnation: UInt32,
        recovered: [Program.Write],
        seed: UInt64,
        points: BiasedPoints = .off
    ) {
        self.node = node
        self.incarnation = incarnation
        self.recovered = recovered
        self.seed = seed
        self.points = points
    }
}
