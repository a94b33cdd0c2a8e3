public import Units

/// Listens to the facts that machines report during a run; the same in simulation and on sockets.
public protocol RunObserver<Program> {
    associatedtype Program: Machine
    /// Takes one fact, in the order in which they happened. `time` is the run's own time.
    mutating func observe(_ event: consuming Program.Event, on node: NodeID, at time: Instant)
    /// The run's own time has come to `time`; called before whatever happens then. Does nothing
    /// unless an observer wants it, and then costs nothing: the call is resolved when the observer
    /// is compiled in.
    mutating func advance(to time: Instant)
    /// Something befell a node from outside of its machine. Does nothing unless an observer wants it.
    mutating func observe(incident: NodeIncident, on node: NodeID, at time: Instant)
    /// Whether everything the experiment waits for has happened; ends the run.
    var isFinished: Bool { get }
}

extension RunObserver {
    @inline(__always)
    public mutating func advance(to time: Instant) {}
    public mutating func observe(incident: NodeIncident, on node: NodeID, at time: Instant) {}
}

/// What the world did to a node, for checkers that have to tell it from what the node's machine did.
public enum NodeIncident: Hashable, Sendable {
    /// The process has ended; what was not durable is gone.
    case crashed
    /// A fault of the disk took something that the machine had been told is durable. The machine is born
    /// again without it and cannot know.
    case lostDurable
}
