import Machines
import Units

/// What one call of an endpoint leads to; owned and emptied by the network.
struct EndpointEffects {
    /// Packets to send, in order.
    var packets: [Packet] = []
    /// The peer's stream bytes that are now in order.
    var deliveredFrom: Int64 = 0
    var deliveredTo: Int64 = 0
    var opened = false
    var finished = false
    var resetReason: StreamResetReason?
    /// New write credit, or negative.
    var credit = -1
    var path: PathSample?
    /// Send buffer below this offset is no longer needed; negative for no change.
    var acknowledged: Int64 = -1
    /// Events wanted for timers, `distantFuture` for none.
    var retransmissionWake = Instant.distantFuture
    var acknowledgementWake = Instant.distantFuture
    var pacingWake = Instant.distantFuture

    mutating func clear() {
        packets.removeAll(keepingCapacity: true)
        deliveredFrom = 0
        deliveredTo = 0
        opened = false
        finished = false
        resetReason = nil
        credit = -1
        path = nil
        acknowledged = -1
        retransmissionWake = .distantFuture
        acknowledgementWake = .distantFuture
        pacingWake = .distantFuture
    }
}
