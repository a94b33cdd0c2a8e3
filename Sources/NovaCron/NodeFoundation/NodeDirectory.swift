public import Effects
import Synchronization

/// The nodes that are known, as they are now: readers see each new list as a whole.
public final class NodeDirectory: Sendable {
    private let state = Mutex(State())

    private struct State {
        var nodes: [KnownNode] = []
        var generation: UInt64 = 0
        var problem: String?
    }

    public init(_ nodes: [KnownNode] = []) {
        state.withLock { $0.nodes = nodes.sorted { $0.name < $1.name } }
    }

    /// Sorted by name; may hold this node itself.
    public var nodes: [KnownNode] { state.withLock { $0.nodes } }

    /// Counts the lists so far, so that a reader can tell whether it has seen this one.
    public var generation: UInt64 { state.withLock { $0.generation } }

    /// Why the list is older than the file; `nil` when it is not.
    public var problem: String? { state.withLock { $0.problem } }

    public func node(named name: String) -> KnownNode? {
        nodes.first { $0.name == name }
    }

    func replace(_ nodes: [KnownNode]) {
        let sorted = nodes.sorted { $0.name < $1.name }
        state.withLock { state in
            state.nodes = sorted
            state.generation += 1
            state.problem = nil
        }
    }

    func report(_ problem: String?) {
        state.withLock { $0.problem = problem }
    }
}

/// Where another node can be reached.
public struct KnownNode: Hashable, Sendable {
    /// Unique in its directory.
    public var name: String
    public var region: String
    /// HTTPS with client certificates.
    public var control: SocketEndpoint
    /// Where migrations arrive.
    public var dwcp: SocketEndpoint
    /// Where it answers probes (UDP).
    public var probes: SocketEndpoint

    public init(
        name: String,
        region: String,
        control: SocketEndpoint,
        dwcp: SocketEndpoint,
        probes: SocketEndpoint
    ) {
        self.name = name
        self.region = region
        self.control = control
        self.dwcp = dwcp
        self.probes = probes
    }
}
