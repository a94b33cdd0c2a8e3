import Machines
import SimulationKernel
import StreamLinks
import Units

/// Calls on connections that are not TCP packet by packet.
extension Network {
    func carrier(of record: ConnectionRecord, _ options: StreamOptions) -> Carrier {
        if isRDMA(record.forward, record.backward) { return .rdma }
        let mayBeFluid = options.congestionControl != .bbr
        return mayBeFluid && isFluid(record.forward, record.backward) ? .fluid : .packets
    }

    private func isOverRDMA(_ connection: ConnectionID) -> Bool {
        connections[Int(connection.slot)].carrier == .rdma
    }

    @inline(never)
    mutating func openElsewhere(
        _ connection: ConnectionID,
        _ options: StreamOptions,
        at now: Instant,
        queue: inout EventQueue<SimulationEvent>
    ) {
        if isOverRDMA(connection) {
            openRDMA(connection, options, at: now, queue: &queue)
        } else {
            openFluid(connection, options, at: now, queue: &queue)
        }
    }

    @inline(never)
    mutating func writeElsewhere(
        _ connection: ConnectionID,
        _ side: ConnectionSide,
        _ bytes: Bytes,
        at now: Instant,
        queue: inout EventQueue<SimulationEvent>
    ) {
        guard isOverRDMA(connection) else {
            return writeFluid(connection, side, bytes, at: now, queue: &queue)
        }
        change(connection, side, at: now, queue: &queue) { $0.write($1, bytes) }
    }

    @inline(never)
    mutating func grantElsewhere(
        _ connection: ConnectionID,
        _ side: ConnectionSide,
        _ count: Int,
        at now: Instant,
        queue: inout EventQueue<SimulationEvent>
    ) {
        guard isOverRDMA(connection) else {
            return grantFluid(connection, side, count, at: now, queue: &queue)
        }
        change(connection, side, at: now, queue: &queue) { $0.grant($1, count) }
    }

    @inline(never)
    mutating func finishElsewhere(
        _ connection: ConnectionID,
        _ side: ConnectionSide,
        at now: Instant,
        queue: inout EventQueue<SimulationEvent>
    ) {
        guard isOverRDMA(connection) else {
            return finishFluid(connection, side, at: now, queue: &queue)
        }
        change(connection, side, at: now, queue: &queue) { $0.finish($1) }
    }

    @inline(never)
    mutating func resetElsewhere(
        _ connection: ConnectionID,
        _ side: ConnectionSide,
        at now: Instant,
        queue: inout EventQueue<SimulationEvent>
    ) {
        guard isOverRDMA(connection) else {
            return endFluid(connection, side, .byPeer, at: now, queue: &queue)
        }
        change(connection, side, at: now, queue: &queue) { $0.reset($1) }
    }

    func creditElsewhere(_ connection: ConnectionID, _ side: ConnectionSide) -> Int {
        if isOverRDMA(connection) { return creditRDMA(connection, side) }
        let flow = fluid.flows[sideIndex(connection.slot, side)]
        return flow.life == .ended ? 0 : flow.knownCredit
    }

    func statisticsElsewhere(
        _ connection: ConnectionID,
        _ side: ConnectionSide
    ) -> ConnectionStatistics {
        if isOverRDMA(connection) { return statisticsRDMA(connection, side) }
        let flow = fluid.flows[sideIndex(connection.slot, side)]
        var result = flow.statistics
        result.congestionWindow = flow.congestion.window
        result.slowStartThreshold = flow.congestion.threshold
        result.smallestRoundTrip = flow.roundTrip
        return result
    }
}
