public import Effects
import Synchronization

/// The kind of network that a node is in, as it is judged now.
public final class NetworkEnvironment: Sendable {
    private let state: Mutex<NetworkAssessment>

    init(_ assessment: NetworkAssessment) {
        state = Mutex(assessment)
    }

    public var assessment: NetworkAssessment { state.withLock { $0 } }

    func replace(_ assessment: NetworkAssessment) {
        state.withLock { $0 = assessment }
    }
}

/// A judgement of a node's network.
public struct NetworkAssessment: Hashable, Sendable {
    /// Of all links together: that of every measured link, or hybrid when they differ.
    public var mode: NetworkMode
    public var reason: String
    /// Sorted by endpoint; the transport chooses for each link by its own mode.
    public var links: [Link] = []
    /// Changes of links' modes since the boot.
    public var changes = 0
    /// Those among them that took back a change.
    public var flaps = 0

    public struct Link: Hashable, Sendable {
        public var endpoint: SocketEndpoint
        /// `nil` while nothing has come back from there.
        public var mode: NetworkMode?
        public var reason: String
        public var figures: PathFigures?
    }

    init(mode: NetworkMode, reason: String) {
        self.mode = mode
        self.reason = reason
    }

    init(links: [Link], changes: Int, flaps: Int) {
        self.links = links
        self.changes = changes
        self.flaps = flaps
        let modes = links.compactMap(\.mode)
        guard let first = modes.first else {
            mode = .hybrid
            reason = links.isEmpty ? "no peers to measure" : "no peer answered"
            return
        }
        let isUniform = modes.allSatisfy { $0 == first }
        mode = isUniform ? first : .hybrid
        let count = modes.count == 1 ? "1 path" : "\(modes.count) paths"
        let found = NetworkMode.allCases.compactMap { mode -> String? in
            let count = modes.count { $0 == mode }
            return count > 0 ? "\(count) \(mode.rawValue)" : nil
        }
        reason = "\(count) measured: \(found.joined(separator: ", "))"
    }
}
