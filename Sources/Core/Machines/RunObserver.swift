public import Units

/// Listens to the facts that machines report during a run; the same in simulation and on sockets.
public protocol RunObserver<Program> {
    associatedtype Program: Machine
    /// Takes one fact, in the order in which they happened. `time` is the run's own time.
    mutating func observe(_ event: Program.Event, on node: NodeID, at time: Instant)
    /// Whether everything the experiment waits for has happened; ends the run.
    var isFinished: Bool { get }
}
