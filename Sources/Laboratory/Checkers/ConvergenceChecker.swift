public import Units

/// Whether replicas hold the same state once the network is whole and the load has stopped, and
/// whether two of them ever differ at the same point of the common sequence.
public struct ConvergenceChecker: Sendable {
    private var states: [State]
    private var digests: [UInt64: UInt64] = [:]
    private var oldest: UInt64 = 0
    private var healed: Instant?
    private var equalSince: Instant?
    /// The first violation of each index, at most ``limit``.
    public private(set) var divergences: [Divergence] = []

    public static let limit = 64
    /// Digests that are remembered by index.
    private static let window: UInt64 = 1 << 16

    private struct State: Sendable {
        var node: NodeID
        var index: UInt64 = 0
        var digest: UInt64 = 0
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

    public enum Outcome: Hashable, Sendable {
        /// All were equal this long after the last heal, and stayed so.
        case converged(after: Interval)
        /// Not within the bound: these nodes are behind the furthest, or differ from it.
        case apart([NodeID])
        /// The run ended before the bound did, so nothing can be said.
        case undecided
    }

    public init(nodes: [NodeID]) {
        states = nodes.map { State(node: $0) }
        equalSince = .zero
    }

    /// A node has applied everything up to `index`, and its state has this digest. A node that
    /// starts anew tells what it starts with.
    public mutating func observe(_ node: NodeID, index: UInt64, digest: UInt64, time: Instant) {
        guard let slot = states.firstIndex(where: { $0.node == node }) else { return }
        states[slot].index = index
        states[slot].digest = digest
        if let other = digests[index] {
            if other != digest, divergences.count < ConvergenceChecker.limit {
                divergences.append(Divergence(time: time, node: node, index: index))
            }
        } else if index + ConvergenceChecker.window > oldest {
            digests[index] = digest
            oldest = max(oldest, index)
            forgetOld()
        }
        let first = states[0]
        let areEqual = states.allSatisfy { $0.index == first.index && $0.digest == first.digest }
        if !areEqual {
            equalSince = nil
        } else if equalSince == nil {
            equalSince = time
        }
    }

    private mutating func forgetOld() {
        guard digests.count > 2 * Int(ConvergenceChecker.window) else { return }
        let first = oldest - min(oldest, ConvergenceChecker.window)
        digests = digests.filter { $0.key >= first }
    }

    /// The last fault is over and nothing new is asked for.
    public mutating func heal(at time: Instant) { healed = time }

    /// - Parameter bound: how long after the heal the replicas may take.
    public func outcome(at end: Instant, bound: Interval) -> Outcome {
        let healed = healed ?? .zero
        if let equalSince {
            let after = max(.zero, equalSince - healed)
            if after <= bound { return .converged(after: after) }
        } else if end < healed.advanced(by: bound) {
            return .undecided
        }
        let furthest = states.max { ($0.index, $0.digest) < ($1.index, $1.digest) }
        let apart = states.filter { $0.index != furthest?.index || $0.digest != furthest?.digest }
        return .apart(apart.map(\.node))
    }
}
