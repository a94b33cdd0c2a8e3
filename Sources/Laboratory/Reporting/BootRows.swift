internal import Judging
internal import Measurements
internal import Units

/// The rows that the panels of one strip share: a heading a phase, below it a row a component. Equal
/// components stand in equal rows, so that panels side by side can be read across.
struct BootRows {
    let rows: [Row]
    /// Components that have no row because there would be too many.
    let leftOut: Int

    enum Row: Equatable {
        case phase(String)
        case component(Key)
    }

    struct Key: Hashable {
        let group: String
        let name: String
    }

    /// More components than this cannot be read; the critical ones and the longest stay.
    static let componentLimit = 60

    init(_ timelines: [BootTimeline]) {
        var groups: [String] = []
        var keys: [Key] = []
        var seen: Set<Key> = []
        var weights: [Key: Double] = [:]
        for timeline in timelines {
            for component in timeline.components {
                let key = Key(group: component.group, name: component.name)
                if !groups.contains(key.group) { groups.append(key.group) }
                if seen.insert(key).inserted { keys.append(key) }
                let weight = component.isCritical ? Double.infinity : component.duration.seconds
                weights[key] = max(weights[key] ?? 0, weight)
            }
        }
        let heaviest = keys.enumerated().sorted {
            (weights[$1.element]!, $0.offset) < (weights[$0.element]!, $1.offset)
        }
        let kept = Set(heaviest.prefix(BootRows.componentLimit).map(\.element))
        leftOut = keys.count - kept.count
        rows = groups.flatMap { group in
            let own = keys.filter { $0.group == group && kept.contains($0) }
            guard !own.isEmpty else { return [Row]() }
            return [.phase(group)] + own.map(Row.component)
        }
    }

    /// The height of a row in CSS pixels: the more rows, the lower.
    var height: Int { rows.count <= 30 ? 18 : rows.count <= 48 ? 15 : 13 }
}
