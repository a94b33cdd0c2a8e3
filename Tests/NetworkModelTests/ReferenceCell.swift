import LinkModel
import Machines
import NetworkModel
import Units

/// One cell of the measured table: streams over the reference link, 5 s of warm-up, 20 s measured.
///
/// As iperf3 does, the streams connect one after the other, each once the one before is established,
/// and begin to send together. BBR's first round trip is that of the handshake and counts for ten
/// seconds, so that its streams probe for the next one at different times.
struct ReferenceCell {
    /// From SYN to established, with the time to send both on the link.
    private static let roundTrip = Interval.microseconds(80_013)

    struct Result {
        /// Receiver goodput in Mbit/s.
        var goodput: Double
        /// Mean of the senders' round-trip samples while measuring, in milliseconds.
        var roundTrip: Double
        /// Share of the packets offered to the link that its queue had no room for.
        var queueDrops: Double
        /// Jain's index of the streams' goodput: (Σx)² / (n·Σx²).
        var fairness: Double
        var events: UInt64
        var timeouts: UInt64
    }

    static func run(
        loss: LossModel,
        streams: Int,
        control: CongestionControl = .cubic,
        seed: UInt64
    ) -> Result {
        var world = BulkWorld(.pair(.reference(loss: loss)), seed: seed)
        var connections: [ConnectionID] = []
        let options = StreamOptions(congestionControl: control, receiveCredit: 32 << 20)
        world.holds = true
        for _ in 0..<streams {
            connections.append(world.open(0, 2, options: options))
            world.run(until: world.now + roundTrip)
        }
        world.release(connections)
        let start = world.now
        world.run(until: start + .seconds(5))
        let receivedBefore = world.received
        let linkBefore = world.network.counters(Topology.forth, at: world.now)
        let before = connections.map { world.network.statistics($0, .opener)! }
        world.run(until: start + .seconds(25))
        let bytes = zip(world.received, receivedBefore).map { Double($0 - $1) }
        let total = bytes.reduce(0, +)
        let squares = bytes.map { $0 * $0 }.reduce(0, +)
        var roundTrips = 0.0
        var timeouts: UInt64 = 0
        for (index, connection) in connections.enumerated() {
            let after = world.network.statistics(connection, .opener)!
            let samples = after.roundTripSamples - before[index].roundTripSamples
            let sum = after.roundTripSum - before[index].roundTripSum
            roundTrips += sum.milliseconds / Double(max(1, samples))
            timeouts += after.timeouts
        }
        let link = world.network.counters(Topology.forth, at: world.now)
        let dropped = link.droppedByQueue - linkBefore.droppedByQueue
        let offered = link.offeredPackets - linkBefore.offeredPackets
        return Result(
            goodput: total * 8 / 20 / 1e6,
            roundTrip: roundTrips / Double(streams),
            queueDrops: Double(dropped) / Double(max(1, offered)),
            fairness: total * total / (Double(streams) * squares),
            events: world.network.events,
            timeouts: timeouts
        )
    }
}
