public import LinkModel
public import NetworkModel
import Units

/// What faults are doing to links at present.
public struct LinkFaults: Sendable {
    private var active: [(number: Int, change: WorldFault)] = []
    private var rules: [(number: Int, rules: [RuleID])] = []

    public init() {}

    public mutating func begin(_ change: WorldFault, number: Int) {
        active.append((number, change))
    }

    public mutating func begin(rules ids: [RuleID], number: Int) {
        rules.append((number, ids))
    }

    /// Forgets one fault; returns the links it touched and the rules it had set.
    public mutating func end(number: Int) -> (links: [LinkID], rules: [RuleID]) {
        let links = active.filter { $0.number == number }.flatMap(\.change.links)
        let ids = rules.filter { $0.number == number }.flatMap(\.rules)
        active.removeAll { $0.number == number }
        rules.removeAll { $0.number == number }
        return (links, ids)
    }

    /// The links that a change touches; none for faults of nodes.
    public static func links(of change: WorldFault) -> [LinkID] { change.links }

    /// What all faults together make of a link. `own` is the link without them.
    public func condition(of link: LinkID, _ own: LinkParameters) -> LinkCondition {
        var condition = LinkCondition()
        var queueFactor = 1.0
        // In order of beginning, so that the latest counts where they do not add up.
        for entry in active where entry.change.links.contains(link) {
            switch entry.change {
            case .down: condition.isUp = false
            case .delay(_, let extra): condition.extraDelay += extra
            case .loss(_, let model): condition.extraLoss = model
            case .blackHole(_, let limit):
                condition.packetLimit = min(condition.packetLimit ?? limit, limit)
            case .jitter(_, let jitter): condition.extraJitter = jitter
            case .trouble(_, let trouble): condition.trouble.add(trouble)
            case .rate(_, let limit): limit.put(into: &condition, of: own)
            case .queue(_, let factor): queueFactor *= factor
            default: break
            }
        }
        if queueFactor != 1 {
            let bytes = Double(own.queueLimit.bytes) * queueFactor
            condition.queueLimit = ByteCount(Int64(min(bytes, LinkFaults.longestQueue)))
        }
        return condition
    }

    /// 4 GiB: longer queues than that are no queues.
    private static let longestQueue = 4_294_967_296.0
}

extension PacketTrouble {
    /// Each kind that `other` has takes the place of the present one.
    fileprivate mutating func add(_ other: PacketTrouble) {
        if other.faults.duplicate > .zero { faults.duplicate = other.faults.duplicate }
        if other.faults.corrupt > .zero { faults.corrupt = other.faults.corrupt }
        if other.faults.reorder > .zero {
            faults.reorder = other.faults.reorder
            faults.hold = other.faults.hold
        }
        correlation = max(correlation, other.correlation)
    }
}

/// What faults have made of a link's rate; there is none while it has its own.
struct FaultyRate: Hashable, Sendable {
    let rate: BitRate?
    let trace: FollowedTrace?

    init?(_ condition: LinkCondition) {
        guard condition.rate != nil || condition.trace != nil else { return nil }
        rate = condition.rate
        trace = condition.trace
    }
}
