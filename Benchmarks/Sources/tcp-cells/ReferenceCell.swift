import Determinism
import LinkModel
import Machines
import NetworkModel
import SimulationKernel
import Units

/// One cell of the table in `docs/tcp-calibration.md`: a rule for windows, a loss, a number of
/// streams, and what Linux 6.18 gave.
struct ReferenceCell {
    var control: CongestionControl
    /// In per cent, independent for each packet.
    var loss: Double
    var streams: Int
    /// Goodput in Mbit/s, round-trip time in ms, per cent of packets that the queue dropped, Jain's
    /// index.
    var goodput: Double
    var roundTrip: Double
    var drops: Double?
    var fairness: Double?

    static let all = [
        ReferenceCell(control: .cubic, loss: 0, streams: 1, goodput: 95.6, roundTrip: 140),
        ReferenceCell(control: .cubic, loss: 0, streams: 8, goodput: 95.6, roundTrip: 143),
        ReferenceCell(control: .cubic, loss: 0, streams: 32, goodput: 95.6, roundTrip: 152),
        ReferenceCell(control: .cubic, loss: 0.1, streams: 1, goodput: 6.4, roundTrip: 81),
        ReferenceCell(control: .cubic, loss: 0.1, streams: 8, goodput: 50.9, roundTrip: 86),
        ReferenceCell(control: .cubic, loss: 0.1, streams: 32, goodput: 95.6, roundTrip: 148),
        ReferenceCell(control: .cubic, loss: 1, streams: 1, goodput: 1.5, roundTrip: 84),
        ReferenceCell(control: .cubic, loss: 1, streams: 8, goodput: 12.4, roundTrip: 84),
        ReferenceCell(control: .cubic, loss: 1, streams: 32, goodput: 49.4, roundTrip: 86),
        ReferenceCell(control: .bbr, loss: 0, streams: 1, goodput: 93.8, roundTrip: 87),
        ReferenceCell(.bbr, 0, 8, goodput: 93.1, roundTrip: 157, drops: 10, fairness: 0.89),
        ReferenceCell(.bbr, 0, 32, goodput: 95.4, roundTrip: 158, drops: 12.8, fairness: 0.78),
        ReferenceCell(control: .bbr, loss: 0.1, streams: 1, goodput: 91.9, roundTrip: 86),
        ReferenceCell(.bbr, 0.1, 8, goodput: 93.3, roundTrip: 155, drops: 8.9, fairness: 0.88),
        ReferenceCell(.bbr, 0.1, 32, goodput: 95.4, roundTrip: 156, drops: 13, fairness: 0.68),
        ReferenceCell(control: .bbr, loss: 1, streams: 1, goodput: 90.2, roundTrip: 85),
        ReferenceCell(.bbr, 1, 8, goodput: 92.8, roundTrip: 155, drops: 9.2, fairness: 0.91),
        ReferenceCell(.bbr, 1, 32, goodput: 94.4, roundTrip: 156, drops: 12.4, fairness: 0.77),
    ]

    init(
        control: CongestionControl,
        loss: Double,
        streams: Int,
        goodput: Double,
        roundTrip: Double
    ) {
        self.control = control
        self.loss = loss
        self.streams = streams
        self.goodput = goodput
        self.roundTrip = roundTrip
    }

    init(
        _ control: CongestionControl,
        _ loss: Double,
        _ streams: Int,
        goodput: Double,
        roundTrip: Double,
        drops: Double,
        fairness: Double
    ) {
        self.init(
            control: control,
            loss: loss,
            streams: streams,
            goodput: goodput,
            roundTrip: roundTrip
        )
        self.drops = drops
        self.fairness = fairness
    }
}

/// What one run of a cell gave, in the units of the cell.
struct CellResult {
    var goodput: Double
    var roundTrip: Double
    var drops: Double
    var fairness: Double
    var events: UInt64
}

/// Streams over 100 Mbit/s, 40 ms each way, a queue of 1 MB: connected one after the other as iperf3
/// does, sending together, 5 s of warm-up, 20 s measured.
struct CellRun: ~Copyable {
    static let virtualSeconds = 25.0
    private static let link = LinkID(0)
    private static let chunk = [UInt8](repeating: 0x5a, count: 65_536)

    private var network: Network
    private var queue = EventQueue<SimulationEvent>(capacity: 1024)
    private var now = Instant.zero
    private var received: [Int64]
    private var credits: [Int]
    private var isSending = false

    init(_ cell: ReferenceCell, seed: UInt64) {
        var forth = LinkParameters(
            rate: .megabits(100),
            propagation: .milliseconds(40),
            queueLimit: ByteCount(1_000_000 as Int64)
        )
        let back = forth
        if cell.loss > 0 { forth.loss = .bernoulli(.percent(cell.loss)) }
        let topology = Topology(
            regionCount: 2,
            nodes: [RegionID(0), RegionID(1)],
            links: [
                Topology.DirectedLink(from: RegionID(0), to: RegionID(1), forth),
                Topology.DirectedLink(from: RegionID(1), to: RegionID(0), back),
            ]
        )
        network = Network(topology: topology, seed: seed)
        received = Array(repeating: 0, count: cell.streams)
        credits = Array(repeating: 0, count: cell.streams)
    }

    mutating func run(_ cell: ReferenceCell) -> CellResult {
        let options = StreamOptions(congestionControl: cell.control, receiveCredit: 32 << 20)
        var connections: [ConnectionID] = []
        for _ in 0..<cell.streams {
            connections.append(
                network.open(from: NodeID(0), to: NodeID(1), options, at: now, queue: &queue)
            )
            advance(to: now + .microseconds(80_013))
        }
        isSending = true
        for connection in connections { write(connection) }
        drain()
        let start = now
        advance(to: start + .seconds(5))
        let before = received
        let linkBefore = network.counters(CellRun.link, at: now)
        let statistics = connections.map { network.statistics($0, .opener)! }
        advance(to: start + .seconds(25))
        let link = network.counters(CellRun.link, at: now)
        let bytes = zip(received, before).map { Double($0 - $1) }
        let total = bytes.reduce(0, +)
        var roundTrips = 0.0
        for (connection, old) in zip(connections, statistics) {
            let new = network.statistics(connection, .opener)!
            let samples = max(1, new.roundTripSamples - old.roundTripSamples)
            roundTrips += (new.roundTripSum - old.roundTripSum).milliseconds / Double(samples)
        }
        let dropped = Double(link.droppedByQueue - linkBefore.droppedByQueue)
        let offered = Double(max(1, link.offeredPackets - linkBefore.offeredPackets))
        let squares = bytes.map { $0 * $0 }.reduce(0, +)
        return CellResult(
            goodput: total * 8 / 20 / 1e6,
            roundTrip: roundTrips / Double(cell.streams),
            drops: 100 * dropped / offered,
            fairness: total * total / (Double(cell.streams) * squares),
            events: network.events
        )
    }

    private mutating func advance(to end: Instant) {
        while let event = queue.next(notAfter: end) {
            now = event.time
            if case .network(let inner) = event.payload {
                network.handle(inner, at: now, queue: &queue)
            }
            if !network.outputs.isEmpty { drain() }
        }
        now = end
    }

    private mutating func drain() {
        var position = 0
        while position < network.outputs.count {
            switch network.outputs[position] {
            case .opened(let connection, .opener, let credit),
                .writable(let connection, .opener, let credit):
                credits[Int(connection.slot)] = credit
                if isSending { write(connection) }
            case .readable(let connection, let side, let bytes):
                received[Int(connection.slot)] += Int64(bytes.count)
                network.grant(connection, side, bytes: bytes.count, at: now, queue: &queue)
            default: break
            }
            position += 1
        }
        network.outputs.removeAll(keepingCapacity: true)
    }

    private mutating func write(_ connection: ConnectionID) {
        let slot = Int(connection.slot)
        while credits[slot] > 0 {
            let count = min(CellRun.chunk.count, credits[slot])
            credits[slot] -= count
            network.write(connection, .opener, CellRun.chunk[..<count], at: now, queue: &queue)
        }
    }
}
