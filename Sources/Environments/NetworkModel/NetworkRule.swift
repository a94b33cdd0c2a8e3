public import Units

/// A set of nodes, by membership bit.
public struct NodeSet: Hashable, Sendable {
    private var words: [UInt64] = []
    private var containsAll = false

    public init() {}

    public init(_ nodes: some Sequence<NodeID>) {
        for node in nodes { insert(node) }
    }

    /// Every node, also those not yet known.
    public static let everything: NodeSet = {
        var set = NodeSet()
        set.containsAll = true
        return set
    }()

    public mutating func insert(_ node: NodeID) {
        let word = Int(node.rawValue >> 6)
        while words.count <= word { words.append(0) }
        words[word] |= 1 << UInt64(node.rawValue & 63)
    }

    public func contains(_ node: NodeID) -> Bool {
        let word = Int(node.rawValue >> 6)
        return containsAll
            || (word < words.count && words[word] >> UInt64(node.rawValue & 63) & 1 == 1)
    }
}

/// What a rule says about a packet.
public enum RuleVerdict: Hashable, Sendable {
    /// This rule has nothing to say.
    case pass
    case drop
    /// Kept until the rule is removed, then sent in order. Streams that are fluids or go over RDMA
    /// cannot wait: to them it means ``drop``.
    case hold
    /// Let through, whatever later rules say.
    case accept
}

/// One-way rule about packets from one set of nodes to another; the first verdict that is not
/// `pass` decides. Consulted when a packet is sent, so that packets already on a link arrive.
public struct NetworkRule: Hashable, Sendable {
    public var from: NodeSet
    public var to: NodeSet
    public var verdict: RuleVerdict

    public init(from: NodeSet, to: NodeSet, verdict: RuleVerdict = .drop) {
        self.from = from
        self.to = to
        self.verdict = verdict
    }

    public func verdict(from sender: NodeID, to receiver: NodeID) -> RuleVerdict {
        from.contains(sender) && to.contains(receiver) ? verdict : .pass
    }
}

/// Names a rule for its removal.
public struct RuleID: Hashable, Sendable, BitwiseCopyable {
    public let rawValue: UInt32
}
