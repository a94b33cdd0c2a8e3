import LinkModel
import NetworkModel
import Units

/// One cell of the measured table: streams over the reference link, 5 s of warm-up, 20 s measured.
struct ReferenceCell {
    struct Result {
        /// Receiver goodput in Mbit/s.
        var goodput: Double
        /// Mean of the senders' round-trip samples while measuring, in milliseconds.
        var roundTrip: Double
        var events: UInt64
        var timeouts: UInt64
    }

    static func run(loss: LossModel, streams: Int, seed: UInt64) -> Result {
        var world = BulkWorld(.pair(.reference(loss: loss)), seed: seed)
        var connections: [ConnectionID] = []
        for _ in 0..<streams { connections.append(world.open(0, 2)) }
        world.run(until: Instant.zero + .seconds(5))
        let bytesBefore = world.received.reduce(0, +)
        let before = connections.map { world.network.statistics($0, .opener)! }
        world.run(until: Instant.zero + .seconds(25))
        let bytes = world.received.reduce(0, +) - bytesBefore
        var roundTrips = 0.0
        var timeouts: UInt64 = 0
        for (index, connection) in connections.enumerated() {
            let after = world.network.statistics(connection, .opener)!
            let samples = after.roundTripSamples - before[index].roundTripSamples
            let sum = after.roundTripSum - before[index].roundTripSum
            roundTrips += sum.milliseconds / Double(max(1, samples))
            timeouts += after.timeouts
        }
        _ = world.network.counters(Topology.forth, at: world.now)
        return Result(
            goodput: Double(bytes) * 8 / 20 / 1e6,
            roundTrip: roundTrips / Double(streams),
            events: world.network.events,
            timeouts: timeouts
        )
    }
}
