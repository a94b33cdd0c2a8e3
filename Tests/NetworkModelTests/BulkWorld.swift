import Determinism
import LinkModel
import Machines
import NetworkModel
import SimulationKernel
import Units

/// The smallest world around a network: senders that always have more to write, receivers that take
/// everything at once, and a record of what happened.
struct BulkWorld: ~Copyable {
    var network: Network
    var queue: EventQueue<SimulationEvent>
    var now = Instant.zero
    /// Bytes given out, by connection slot.
    var received: [Int64] = []
    /// Bytes each opener has left to write, by connection slot; finishes at zero.
    var remaining: [Int64] = []
    /// Whether openers keep their side open after the last byte.
    var staysOpen = false
    /// Whether openers wait with their first byte until `release`.
    var holds = false
    /// Whether receivers grant what they read.
    var grants = true
    var resets: [(ConnectionSide, StreamResetReason)] = []
    var finishes: [ConnectionSide] = []
    var datagrams: [(token: UInt32, at: Instant)] = []
    var copies: [(token: UInt32, at: Instant)] = []
    var lostDatagrams = 0
    var pathSamples: [PathSample] = []
    var mismatches = 0
    /// Credit known to each opener, by slot.
    var credits: [Int] = []
    /// Bytes each opener wrote, by slot.
    var written: [Int64] = []
    var largestWrite = Int.max
    /// Whether what arrives may be copied together from pieces, as out of a ring.
    var joinsPieces = false
    /// What all streams carry, over and over: the byte at offset `o` is at index `o` modulo the
    /// length, a prime, so that a misplaced slice shows by its index, and by its bytes.
    static let pattern: [UInt8] = {
        var random = SeededRandom(seed: 1, entity: EntityID(.experiment, 0), purpose: "pattern")
        return (0..<65_537).map { _ in UInt8(truncatingIfNeeded: random.next()) }
    }()

    init(_ topology: Topology, seed: UInt64, parameters: TCPParameters = .linux) {
        network = Network(topology: topology, seed: seed, parameters: parameters)
        queue = EventQueue<SimulationEvent>(capacity: 1024)
    }

    /// Opens a stream whose opener writes `bytes`, endlessly by default.
    mutating func open(
        _ from: UInt32,
        _ to: UInt32,
        bytes: Int64 = .max,
        options: StreamOptions = StreamOptions(receiveCredit: 32 << 20)
    ) -> ConnectionID {
        let connection = network.open(
            from: NodeID(from),
            to: NodeID(to),
            options,
            at: now,
            queue: &queue
        )
        let slot = Int(connection.slot)
        while received.count <= slot {
            received.append(0)
            remaining.append(0)
            credits.append(0)
            written.append(0)
        }
        written[slot] = 0
        received[slot] = 0
        remaining[slot] = bytes
        credits[slot] = 0
        drain()
        return connection
    }

    /// Runs all events up to and including `end`.
    mutating func run(until end: Instant) {
        while let event = queue.next(notAfter: end) {
            now = event.time
            if case .network(let inner) = event.payload {
                network.handle(inner, at: now, queue: &queue)
            }
            drain()
        }
        now = end
    }

    mutating func drain() {
        var position = 0
        while position < network.outputs.count {
            let output = network.outputs[position]
            position += 1
            if network.serveCrossTraffic(output, at: now, queue: &queue) { continue }
            take(output)
        }
        network.outputs.removeAll(keepingCapacity: true)
    }

    private mutating func take(_ output: NetworkOutput) {
        switch output {
        case .opened(let connection, let side, let credit),
            .writable(let connection, let side, let credit):
            if side == .opener { credits[Int(connection.slot)] = credit }
            if side == .opener, !holds { write(connection) }
        case .readable(let connection, let side, let bytes):
            check(bytes, at: received[Int(connection.slot)])
            received[Int(connection.slot)] += Int64(bytes.count)
            if grants {
                network.grant(connection, side, bytes: bytes.count, at: now, queue: &queue)
            }
        case .finished(let connection, let side):
            finishes.append(side)
            if side == .acceptor { network.finish(connection, side, at: now, queue: &queue) }
        case .reset(_, let side, let reason):
            resets.append((side, reason))
        case .path(_, _, let sample):
            pathSamples.append(sample)
        case .datagram(let token, _):
            datagrams.append((token, now))
        case .datagramCopied(let token, _):
            copies.append((token, now))
        case .datagramLost:
            lostDatagrams += 1
        }
    }

    /// All openers begin to write.
    mutating func release(_ connections: [ConnectionID]) {
        holds = false
        for connection in connections { write(connection) }
        drain()
    }

    private mutating func write(_ connection: ConnectionID) {
        let slot = Int(connection.slot)
        while credits[slot] > 0, remaining[slot] > 0 {
            let start = Int(written[slot] % Int64(BulkWorld.pattern.count))
            var count = Int(min(Int64(BulkWorld.pattern.count - start), remaining[slot]))
            count = min(count, credits[slot], largestWrite)
            credits[slot] -= count
            written[slot] += Int64(count)
            if remaining[slot] != .max { remaining[slot] -= Int64(count) }
            let bytes = BulkWorld.pattern[start..<start + count]
            network.write(connection, .opener, bytes, at: now, queue: &queue)
            if remaining[slot] == 0, !staysOpen {
                network.finish(connection, .opener, at: now, queue: &queue)
            }
        }
    }

    /// Every slice must be the sender's own storage at the place that the offset demands, or hold
    /// the same bytes where pieces are joined.
    private mutating func check(_ bytes: Bytes, at offset: Int64) {
        let place = Int(offset % Int64(BulkWorld.pattern.count))
        if bytes.startIndex == place, !joinsPieces { return }
        var rest = bytes
        var start = place
        while joinsPieces, !rest.isEmpty {
            let length = min(rest.count, BulkWorld.pattern.count - start)
            guard rest.prefix(length) == BulkWorld.pattern[start..<start + length] else { break }
            rest = rest.dropFirst(length)
            start = 0
        }
        if !joinsPieces || !rest.isEmpty { mismatches += 1 }
    }

    func fingerprint() -> Fingerprint {
        var chain = HashChain()
        network.combineFingerprint(into: &chain)
        return chain.fingerprint
    }
}

extension Topology {
    /// Two regions of two nodes each (0, 1 | 2, 3), the given link forth and a lossless one back.
    static func pair(_ forth: LinkParameters, back: LinkParameters? = nil) -> Topology {
        var reverse = forth
        reverse.loss = .none
        return Topology(
            regionCount: 2,
            nodes: [0, 0, 1, 1].map { RegionID($0) },
            links: [
                DirectedLink(from: RegionID(0), to: RegionID(1), forth),
                DirectedLink(from: RegionID(1), to: RegionID(0), back ?? reverse),
            ]
        )
    }

    static let forth = LinkID(0)
    static let back = LinkID(1)
}

extension LinkParameters {
    /// The link of the reference measurements.
    static func reference(loss: LossModel = .none) -> LinkParameters {
        LinkParameters(
            rate: .megabits(100),
            propagation: .milliseconds(40),
            loss: loss,
            queueLimit: ByteCount(1_000_000 as Int64)
        )
    }
}
