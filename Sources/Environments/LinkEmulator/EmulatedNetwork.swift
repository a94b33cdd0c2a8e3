import CLinuxNetwork
import Glibc
public import LinkModel
public import NetworkModel
public import SimulatedEnvironment
import Synchronization
public import Units

/// The links of a topology for real packets: every node gets a network namespace whose only way out
/// is a TUN interface, and what leaves it crosses the same `LinkPipe` as in a simulation before it
/// reaches the node it is for.
///
/// One thread a region moves the packets that its nodes send. Needs root (`CAP_NET_ADMIN`,
/// `CAP_SYS_ADMIN`) and `/dev/net/tun`; nothing outside the namespaces is touched, and nothing of
/// them is left when the process ends, however it ends.
///
/// Memory is bounded by the pipes' own bounds: at most 2^19 frames of 2 KiB a region.
public final class EmulatedNetwork: Sendable {
    private let topology: Topology
    private let seed: UInt64
    private let networks: [NodeNetwork]
    private let relays = Mutex<[Relay]>([])
    private let awake = AwakeProcessors()
    private let faults = Mutex(LinkFaults())

    /// Makes the namespaces. Nothing passes before `begin`.
    ///
    /// - Parameters:
    ///   - seed: As in a simulation: it decides which packets are lost.
    ///   - marked: The nodes whose TCP asks for explicit congestion notification.
    public init(
        _ topology: Topology,
        seed: UInt64,
        usingCongestionNotification marked: (NodeID) -> Bool = { _ in false }
    ) throws(EmulatorFailure) {
        self.topology = topology.withLocalLinks
        self.seed = seed
        networks = try NodeNetwork.make(
            topology.nodes.indices.map { NodeID(UInt32($0)) },
            usingCongestionNotification: marked
        )
    }

    deinit { stop() }

    /// Makes the network of one node and drops it again; throws where none can be made.
    public static func probe() throws(EmulatorFailure) {
        _ = try NodeNetwork.make([NodeID(0)]) { _ in false }
    }

    /// Where a process of the node has to go, by node; see ``NetworkNamespace/enter(_:)``.
    public var namespaces: [String] {
        networks.map { "/proc/\(getpid())/fd/\($0.namespace.rawValue)" }
    }

    /// The node's address in its namespace, by node.
    public var addresses: [IPv4Address] { networks.map { IPv4Address(of: $0.node) } }

    /// Starts moving packets. The pipes' time zero is when the monotonic clock shows `origin`; what
    /// comes earlier counts as coming then.
    public func begin(origin: Int64) throws(EmulatorFailure) {
        let tunnels = networks.map { $0.tunnel.rawValue }
        var started: [Relay] = []
        do throws(EmulatorFailure) {
            for region in 0..<topology.regionCount
            where topology.nodes.contains(where: { Int($0.rawValue) == region }) {
                let state = try RegionRelay(
                    region: region,
                    topology: topology,
                    seed: seed,
                    tunnels: tunnels,
                    origin: origin
                )
                let own = topology.nodes.indices.filter {
                    Int(topology.nodes[$0].rawValue) == region
                }
                started.append(
                    try Relay(state, reading: own.map { tunnels[$0] }, origin: origin, awake: awake)
                )
            }
        } catch {
            for relay in started { relay.stop() }
            throw error
        }
        relays.withLock { [started] in $0 = started }
        awake.begin()
    }

    /// Ends the threads. Packets on their way are lost.
    public func stop() {
        let running = relays.withLock { relays in
            defer { relays = [] }
            return relays
        }
        for relay in running { relay.stop() }
        awake.stop()
    }

    /// Changes links as faults do; faults of nodes are none of its business. Rules that hold packets
    /// drop them here.
    public func apply(_ change: WorldFault, number: Int) {
        let links: [LinkID]
        switch change {
        case .block(let rules):
            relays.withLock { relays in
                for relay in relays {
                    relay.change { state in
                        for rule in rules { state.add(rule, id: number) }
                    }
                }
            }
            return
        case .heal:
            links = faults.withLock { $0.end(number: number).links }
            relays.withLock { relays in
                for relay in relays { relay.change { $0.removeRules(id: number) } }
            }
        default:
            links = LinkFaults.links(of: change)
            guard !links.isEmpty else { return }
            faults.withLock { $0.begin(change, number: number) }
        }
        let present = faults.withLock { $0 }
        relays.withLock { relays in
            for relay in relays {
                relay.change { $0.refresh(links, present) }
            }
        }
    }

    /// What all links did until now.
    public func report() -> EmulatorReport {
        var report = EmulatorReport()
        relays.withLock { relays in
            report.isUrgent = !relays.isEmpty && relays.allSatisfy(\.isUrgent)
            for relay in relays {
                relay.withState { state in
                    report.links += state.reports()
                    report.strayPackets += state.strayPackets
                    report.packetsWithoutSlot += state.packetsWithoutSlot
                }
            }
        }
        report.links.sort { $0.link.rawValue < $1.link.rawValue }
        report.packetsMissed = NodeNetwork.packetsMissed(by: networks)
        return report
    }
}

/// What an emulator did, with the measure of its own exactness.
public struct EmulatorReport: Hashable, Sendable, Codable {
    /// In the topology's order.
    public var links: [LinkReport] = []
    /// Packets that nodes sent faster than they were read.
    public var packetsMissed: UInt64 = 0
    /// Packets for which there was no slot.
    public var packetsWithoutSlot: UInt64 = 0
    /// Packets that no link leads from or to, for example where none is declared.
    public var strayPackets: UInt64 = 0
    /// Whether the threads run before all ordinary ones.
    public var isUrgent = false

    public init() {}

    /// How late packets were, over all links.
    public var errors: DelayErrors {
        links.reduce(into: DelayErrors()) { $0.merge($1.errors) }
    }

    /// The share of the nodes' packets that were lost although no link's model lost them.
    public var unintendedLoss: Double {
        let lost = packetsMissed + packetsWithoutSlot
        let offered = links.reduce(lost) { $0 + $1.counters.offeredPackets }
        return offered == 0 ? 0 : Double(lost) / Double(offered)
    }
}

/// What one emulated link did.
public struct LinkReport: Hashable, Sendable, Codable {
    public var link: LinkID
    public var counters: LinkCounters
    /// Bytes waiting or being sent.
    public var queue: ByteCount
    public var errors: DelayErrors

    public init(link: LinkID, counters: LinkCounters, queue: ByteCount, errors: DelayErrors) {
        self.link = link
        self.counters = counters
        self.queue = queue
        self.errors = errors
    }
}

/// A region's relay and the thread that turns it.
private final class Relay: Sendable {
    private let state: Mutex<RegionRelay>
    private let isStopping = Atomic(false)
    private let urgency = Atomic(false)
    private let thread = Mutex<RelayThread?>(nil)
    /// Wakes the thread.
    private let bell: Bell

    /// The longest sleep: whoever changes something wakes the thread.
    private static let patience: Int64 = 3_600_000_000_000

    init(
        _ state: consuming sending RegionRelay,
        reading descriptors: [Int32],
        origin: Int64,
        awake: AwakeProcessors
    ) throws(EmulatorFailure) {
        bell = try Bell()
        self.state = Mutex(state)
        let started = RelayThread.run { [self] in
            urgency.store(RelayThread.becomeUrgent(), ordering: .relaxed)
            relay(descriptors, origin, awake)
        }
        thread.withLock { $0 = started }
    }

    var isUrgent: Bool { urgency.load(ordering: .relaxed) }

    func stop() {
        isStopping.store(true, ordering: .relaxed)
        bell.ring()
        thread.withLock { thread in
            thread?.join()
            thread = nil
        }
    }

    /// The lock hands its waiter's priority on, so that an ordinary thread that asks for a report
    /// does not hold packets up.
    func withState<Value: Sendable>(_ body: (inout RegionRelay) -> Value) -> Value {
        state.withLock { body(&$0) }
    }

    /// Changes what the thread may be sleeping over: packets that waited for a link's return leave at once.
    func change(_ body: (inout RegionRelay) -> Void) {
        state.withLock { body(&$0) }
        bell.ring()
    }

    private func relay(_ descriptors: [Int32], _ origin: Int64, _ awake: AwakeProcessors) {
        var waits = (descriptors + [bell.descriptor]).map {
            pollfd(fd: $0, events: Int16(POLLIN), revents: 0)
        }
        let last = waits.count - 1
        let second: Int64 = 1_000_000_000
        var told: UInt64 = 0
        while !isStopping.load(ordering: .relaxed) {
            let (due, moved) = state.withLock { ($0.turn(), $0.packetsMoved) }
            if moved != told {
                awake.packets.add(moved &- told, ordering: .relaxed)
                told = moved
            }
            guard let next = due else { continue }
            let wait =
                next == .distantFuture
                ? Relay.patience
                : min(Relay.patience, origin + next.nanoseconds - RelayClock.nanoseconds)
            guard wait > 0 else { continue }
            var time = timespec(tv_sec: Int(wait / second), tv_nsec: Int(wait % second))
            let ready = ppoll(&waits, UInt(waits.count), &time, nil)
            if ready > 0, waits[last].revents != 0 { bell.silence() }
        }
    }
}

extension Topology {
    /// With a declared link inside every region, as a simulation has it.
    fileprivate var withLocalLinks: Topology {
        var topology = self
        for region in 0..<regionCount {
            let id = RegionID(UInt32(region))
            if !links.contains(where: { $0.from == id && $0.to == id }) {
                topology.links.append(DirectedLink(from: id, to: id, local))
            }
        }
        return topology
    }
}
