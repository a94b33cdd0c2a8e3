public import Units

/// Whether replicas hold the same state: two of them must never differ at the same point of the common
/// sequence, and once the network is whole and the load has stopped all of them are at the same point.
///
/// Memory: ``window`` digests, and one state for each replica.
public struct ConvergenceChecker: Sendable {
    private var digests: [UInt64: UInt64] = [:]
    private var newest: UInt64 = 0
    private var last: [NodeID: State] = [:]
    /// The first violation of each index, at most ``limit``.
    public private(set) var divergences: [Divergence] = []
    /// States told so far.
    public private(set) var checked: UInt64 = 0

    public static let limit = 64
    /// Digests that are remembered by index.
    public static let window: UInt64 = 1 << 14

    /// What a replica holds: the digest of its state after everything up to an index.
    public struct State: Hashable, Sendable {
        public var index: UInt64
        public var digest: UInt64
    }

    /// Two replicas that had applied the same and held different states.
    public struct Divergence: Hashable, Sendable {
        public var time: Instant
        public var node: NodeID
        public var index: UInt64

        public var sentence: String {
            "\(node) holds another state than others at index \(index)"
        }

        public var signature: String { "convergence: different states at one index" }
    }

    public init() {}

    /// A node has applied everything up to `index`, and its state has this digest.
    public mutating func observe(_ node: NodeID, index: UInt64, digest: UInt64, time: Instant) {
        checked += 1
        last[node] = State(index: index, digest: digest)
        if let other = digests[index] {
            guard other != digest, divergences.count < ConvergenceChecker.limit,
                !divergences.contains(where: { $0.index == index })
            else { return }
            divergences.append(Divergence(time: time, node: node, index: index))
        } else if index + ConvergenceChecker.window > newest {
            digests[index] = digest
            newest = max(newest, index)
            forgetOld()
        }
    }

    private mutating func forgetOld() {
        guard digests.count > 2 * Int(ConvergenceChecker.window) else { return }
        let first = newest - min(newest, ConvergenceChecker.window)
        digests = digests.filter { $0.key >= first }
    }

    /// What a node told last; `nil` when it told nothing.
    public func state(of node: NodeID) -> State? { last[node] }

    /// Of these nodes those that were not, when they told it last, where the furthest of them was, or
    /// differed from it.
    public func apart(among nodes: [NodeID]) -> [NodeID] {
        let furthest = nodes.compactMap { last[$0] }.max {
            ($0.index, $0.digest) < ($1.index, $1.digest)
        }
        return nodes.filter { last[$0] != furthest }
    }
}
