public import NetworkModel
public import Units

/// One change that a fault makes to the world; healing is a change of its own.
public enum WorldFault: Sendable {
    /// The process on the node dies: machine, timers, unsynced writes and running work are gone;
    /// peers see resets. Does nothing on a node that is down.
    case crash(NodeID)
    /// A new incarnation starts with what was durable. Does nothing on a running node.
    case restart(NodeID)
    /// Inputs queue up, in order, until the node goes on.
    case pause(NodeID)
    case resume(NodeID)
    /// What waits on a link that goes down, and what is offered to it, is lost.
    case link(LinkID, isUp: Bool)
    /// On top of the link's own delay; zero takes it back.
    case extraDelay(LinkID, Interval)
    /// Besides the link's own loss; `.none` takes it back.
    case extraLoss(LinkID, NetworkModel.LossModel)
    /// Packets that match a rule are dropped, until the fault of the same number unblocks.
    case block([NetworkRule])
    case unblock
}
