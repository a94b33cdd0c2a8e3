package import Machines
package import Units

/// What one call of an endpoint leads to; owned and emptied by the network.
package struct EndpointEffects {
    /// Packets to send, in order.
    package var packets: [Packet] = []
    /// The peer's stream bytes that are now in order.
    package var deliveredFrom: Int64 = 0
    package var deliveredTo: Int64 = 0
    package var opened = false
    package var finished = false
    /// This side ended or closed: perhaps nothing is left of the connection.
    package var mayBeOver = false
    package var resetReason: StreamResetReason?
    /// New write credit, or negative.
    package var credit = -1
    package var path: PathSample?
    /// Send buffer below this offset is no longer needed; negative for no change.
    package var acknowledged: Int64 = -1
    /// Events wanted for timers, `distantFuture` for none.
    package var retransmissionWake = Instant.distantFuture
    package var acknowledgementWake = Instant.distantFuture
    package var pacingWake = Instant.distantFuture
    package var keepAliveWake = Instant.distantFuture

    package init() {}

    package mutating func clear() {
        if !packets.isEmpty { packets.removeAll(keepingCapacity: true) }
        deliveredFrom = 0
        deliveredTo = 0
        opened = false
        finished = false
        mayBeOver = false
        resetReason = nil
        credit = -1
        path = nil
        acknowledged = -1
        retransmissionWake = .distantFuture
        acknowledgementWake = .distantFuture
        pacingWake = .distantFuture
        keepAliveWake = .distantFuture
    }
}
