import Determinism
import Scenarios
public import Units

/// Which nodes may lose what was durable in one run, so that recovery stays possible: fewer than
/// half of those that hold copies, drawn from the seed (the idea of TigerBeetle's storage fault
/// atlas, here by node instead of by sector).
///
/// Faults that lose or spoil data choose among these nodes only; where a rule selects none of them,
/// its occurrence is spared and counted.
public struct FaultAtlas: Hashable, Sendable {
    /// The nodes that hold copies, ascending.
    public var replicas: [NodeID]
    /// Those among them that may lose data, ascending.
    public var exposed: [NodeID]
    /// Nodes whose durable data the plan may lose or spoil, ascending.
    public internal(set) var struck: [NodeID] = []
    /// Occurrences that were left out because they could have struck no exposed node.
    public internal(set) var spared = 0

    /// `nil` where the scenario does not bound the loss of data.
    init?(_ scenario: Scenario, seed: UInt64) {
        guard let recovery = scenario.recovery else { return nil }
        replicas = scenario.replicaNodes
        switch recovery.dataLoss {
        case .any: return nil
        case .none: exposed = []
        case .minority:
            let count = max(0, (replicas.count - 1) / 2)
            exposed = FaultAtlas.draw(count, of: replicas, "fault atlas", seed)
        }
    }

    /// Whether the bound holds: a majority of the copies is never touched.
    public var keepsMajority: Bool {
        let lost = struck.filter(replicas.contains).count
        return lost == 0 || 2 * lost < replicas.count
    }

    /// For reports, for example `1 of 5 copies may be lost: node 3; 2 faults left out`.
    public var summary: String {
        let names = exposed.map(\.description).joined(separator: ", ")
        let places = exposed.isEmpty ? "none" : names
        return "\(exposed.count) of \(replicas.count) copies may be lost (\(places)), "
            + "\(struck.count) were struck, \(spared) faults were left out"
    }

    /// Of groups of nodes, what data may be lost on; nodes without copies may always lose theirs.
    func permitted(_ groups: [[NodeID]]) -> [[NodeID]] {
        groups.map { group in
            group.filter { !replicas.contains($0) || exposed.contains($0) }
        }
        .filter { !$0.isEmpty }
    }

    mutating func note(_ nodes: [NodeID]) {
        for node in nodes where !struck.contains(node) { struck.append(node) }
        struck.sort()
    }

    static func draw(
        _ count: Int,
        of nodes: [NodeID],
        _ purpose: StaticString,
        _ seed: UInt64
    ) -> [NodeID] {
        var random = SeededRandom(seed: seed, entity: EntityID(.fault, 1 << 23), purpose: purpose)
        var nodes = nodes
        for place in 0..<min(count, nodes.count) {
            nodes.swapAt(place, place + Int(random.below(UInt64(nodes.count - place))))
        }
        return nodes.prefix(count).sorted()
    }
}
