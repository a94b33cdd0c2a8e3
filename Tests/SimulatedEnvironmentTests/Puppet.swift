import Determinism
import HardwareModel
import LinkModel
import Machines
import NetworkModel
import SimulatedEnvironment
import SimulationKernel
import Units

/// A machine on strings: what it learns is told as text, what it does is up to its script.
struct Puppet: Machine {
    typealias Message = Number
    typealias Timer = UInt32
    typealias Write = Number
    typealias Job = Labour
    typealias Event = String
    typealias Script =
        @Sendable (Birth<Puppet>, Input<Puppet>, Instant, inout Actions<Puppet>)
        -> Void

    let birth: Birth<Puppet>
    let script: Script

    mutating func step(
        _ input: Input<Puppet>,
        at now: Instant,
        into actions: inout Actions<Puppet>
    ) {
        switch input {
        case .started: actions.emit("started \(birth.recovered.map(\.value))")
        case .received(let number, let peer): actions.emit("got \(number.value) from \(peer)")
        case .fired(let timer): actions.emit("fired \(timer)")
        case .persisted(let id): actions.emit("persisted \(id.rawValue)")
        case .computed(let id, _): actions.emit("computed \(id.rawValue)")
        case .streamOpened(let stream, _): actions.emit("opened \(stream.number)")
        case .finished(let stream): actions.emit("finished \(stream.number)")
        case .reset(let stream, let reason): actions.emit("reset \(stream.number) \(reason)")
        case .writable, .readable, .path, .requested: break
        }
        script(birth, input, now, &actions)
    }
}

struct Number: DurableRecord {
    var value: UInt64

    init(_ value: UInt64) {
        self.value = value
    }

    func encode(into writer: inout WireWriter) { writer.write(value) }
    init(from reader: inout WireReader) throws(WireError) { value = try reader.read() }
}

/// Costs one millisecond a megabyte on the profile of these tests.
struct Labour: Work {
    var megabytes: Int

    func run() -> Int { megabytes }
    func cost(of output: Int) -> WorkCost { WorkCost(.copy, ByteCount(megabytes * 1_000_000)) }
    static func digest(of output: Int, into chain: inout HashChain) {
        chain.combine(Int64(output))
    }
}

struct Listener: RunObserver {
    typealias Program = Puppet
    var story: [Line] = []
    let isFinished = false

    struct Line: Equatable {
        let time: Instant
        let node: NodeID
        let text: String
    }

    mutating func observe(_ event: String, on node: NodeID, at time: Instant) {
        story.append(Line(time: time, node: node, text: event))
    }

    /// What a node told, with times in microseconds.
    func told(by node: UInt32) -> [String] {
        story.filter { $0.node == NodeID(node) }
            .map { "\($0.time.nanoseconds / 1_000) \($0.text)" }
    }

    func texts(by node: UInt32) -> [String] {
        story.filter { $0.node == NodeID(node) }.map(\.text)
    }
}

/// Two regions 10 ms apart; two cores, 1 GB/s, 2 ms a sync.
func plan(
    nodes: [UInt32] = [0, 1],
    seed: UInt64 = 3,
    until time: Instant = .zero + .seconds(1),
    loss: LossModel = .none,
    sampling: Interval = .milliseconds(100),
    faults: [SimulationPlan.ScheduledFault] = []
) -> SimulationPlan {
    let link = LinkParameters(
        rate: .megabits(100),
        propagation: .milliseconds(10),
        jitter: Jitter(.uniform, scale: .microseconds(50)),
        loss: loss,
        queueLimit: .mebibytes(1)
    )
    return SimulationPlan(
        topology: Topology(
            regionCount: 2,
            nodes: nodes.map { RegionID($0) },
            links: [
                .init(from: RegionID(0), to: RegionID(1), link),
                .init(from: RegionID(1), to: RegionID(0), link),
            ]
        ),
        profile: HardwareProfile(
            name: "tests",
            measured: .init(machine: "none", date: "2026-11-22", method: "chosen"),
            cores: 2,
            speeds: .init { _ in 1_000 },
            disk: .init(write: 1_000, fsync: .milliseconds(2))
        ),
        seed: seed,
        limits: RunLimits(time: time),
        checksInvariants: true,
        sampling: sampling,
        faults: faults
    )
}

func simulation(
    _ plan: SimulationPlan,
    _ script: @escaping Puppet.Script
) -> Simulation<Listener> {
    Simulation(plan, observer: Listener()) { Puppet(birth: $0, script: script) }
}

func at(_ milliseconds: Int64) -> Instant { .zero + .milliseconds(milliseconds) }

/// The beginning and the end of one fault.
func fault(
    _ number: Int,
    _ change: WorldFault,
    from start: Int64,
    healing: WorldFault = .heal,
    to end: Int64
) -> [SimulationPlan.ScheduledFault] {
    [
        .init(number: number, at: at(start), phase: .fired, change: change),
        .init(number: number, at: at(end), phase: .healed, change: healing),
    ]
}
