import Scenarios
import Units

/// Who loses whom.
struct Partition {
    private let mode: FaultRule.PartitionMode
    private let everyone: [NodeID]

    init(_ mode: FaultRule.PartitionMode, among count: Int) {
        self.mode = mode
        everyone = (0..<count).map { NodeID(UInt32($0)) }
    }

    /// - Parameters:
    ///   - selected: ascending.
    ///   - drawn: the same nodes in the order of drawing, which gives places in shapes.
    func cuts(_ selected: [NodeID], inOrder drawn: [NodeID]) -> [PlannedFault.Cut] {
        let count = drawn.count
        switch mode {
        case .halves:
            return Partition.bothWays(selected, everyone.filter { !selected.contains($0) })
        case .isolate:
            return selected.flatMap { node in
                Partition.bothWays([node], everyone.filter { $0 != node })
            }
        case .oneWay(let direction):
            let others = everyone.filter { !selected.contains($0) }
            let pair = Partition.bothWays(selected, others)
            return switch direction {
            case .both: pair
            case .outbound: Array(pair.prefix(1))
            case .inbound: Array(pair.dropFirst())
            }
        case .majorityMinority:
            let minority = (count - 1) / 2
            return shape(drawn) { ($0 < minority) == ($1 < minority) }
        case .bridge:
            // The first is the bridge; of the others, one half each.
            let half = 1 + (count - 1) / 2
            return shape(drawn) { $0 == 0 || $1 == 0 || ($0 < half) == ($1 < half) }
        case .ring:
            let reach = (count / 2 + 1) / 2
            return shape(drawn) { first, second in
                let distance = abs(first - second)
                return min(distance, count - distance) <= reach
            }
        case .chained: return shape(drawn) { abs($0 - $1) <= 1 }
        case .quorumLoss: return shape(drawn) { $0 == 0 || $1 == 0 }
        case .constrainedElection:
            return shape(drawn) { ($0 == 0 || $1 == 0) && $0 != 1 && $1 != 1 }
        case .singleLink: return shape(drawn) { $0 > 1 || $1 > 1 }
        }
    }

    /// Cuts every ordered pair of places that do not reach each other, one cut for each node that
    /// loses any.
    private func shape(
        _ nodes: [NodeID],
        reaches: (Int, Int) -> Bool
    ) -> [PlannedFault.Cut] {
        var cuts: [PlannedFault.Cut] = []
        for (place, node) in nodes.enumerated() {
            let lost = nodes.indices.filter { $0 != place && !reaches(place, $0) }.map { nodes[$0] }
            guard !lost.isEmpty else { continue }
            cuts.append(PlannedFault.Cut(from: [node], to: lost.sorted()))
        }
        return cuts.sorted { $0.from[0] < $1.from[0] }
    }

    private static func bothWays(_ left: [NodeID], _ right: [NodeID]) -> [PlannedFault.Cut] {
        guard !left.isEmpty, !right.isEmpty else { return [] }
        return [
            PlannedFault.Cut(from: left, to: right),
            PlannedFault.Cut(from: right, to: left),
        ]
    }
}

enum NodeSelection {
    /// Ascending, each once: groups by label may overlap.
    static func distinct(_ nodes: [NodeID]) -> [NodeID] {
        var distinct: [NodeID] = []
        for node in nodes.sorted() where distinct.last != node { distinct.append(node) }
        return distinct
    }
}
