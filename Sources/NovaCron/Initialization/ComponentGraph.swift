public import Units

/// Components and what they wait for, checked: every name exists once, nothing waits for itself,
/// nothing waits for a later phase.
public struct ComponentGraph: Hashable, Sendable {
    /// In the order of the list that was given.
    public let components: [ComponentSpecification]
    /// By component: positions of those it waits for, required and optional, in order.
    public let prerequisites: [[Int]]
    /// By component: positions of those that it cannot do without, as it names them.
    let required: [[Int]]
    /// By component: positions of those that wait for it, in order.
    public let dependents: [[Int]]
    /// All positions, dependencies first; among the free ones by phase, then in the list's order.
    public let order: [Int]
    private let positions: [String: Int]

    public init(_ components: [ComponentSpecification]) throws(GraphError) {
        self.components = components
        let positions = try ComponentGraph.positions(components)
        self.positions = positions
        var prerequisites: [[Int]] = []
        for component in components {
            var found: Set<Int> = []
            var row: [Int] = []
            for name in component.dependencies + component.optionalDependencies {
                guard let position = positions[name] else {
                    throw .missing(
                        name: name,
                        path: ComponentGraph.path(to: component.name, in: components) + [name],
                        nearest: ComponentGraph.nearest(name, among: components.map(\.name))
                    )
                }
                guard components[position].phase <= component.phase else {
                    throw .laterPhase(component: component.name, dependency: name)
                }
                if found.insert(position).inserted { row.append(position) }
            }
            prerequisites.append(row.sorted())
        }
        self.prerequisites = prerequisites
        required = components.map { $0.dependencies.compactMap { positions[$0] } }
        var dependents = [[Int]](repeating: [], count: components.count)
        for position in components.indices {
            for prerequisite in prerequisites[position] {
                dependents[prerequisite].append(position)
            }
        }
        self.dependents = dependents
        order = try ComponentGraph.order(components, prerequisites)
    }

    /// Where the component stands in `components`; `nil` when there is none of that name.
    public func position(of name: String) -> Int? { positions[name] }

    private static func positions(_ components: [ComponentSpecification]) throws(GraphError)
        -> [String: Int]
    {
        var positions: [String: Int] = [:]
        for (position, component) in components.enumerated() {
            guard positions.updateValue(position, forKey: component.name) == nil else {
                throw .duplicate(component.name)
            }
        }
        return positions
    }

    /// Kahn's algorithm; what is left over holds a cycle.
    private static func order(
        _ components: [ComponentSpecification],
        _ prerequisites: [[Int]]
    ) throws(GraphError) -> [Int] {
        let listed = components.indices.sorted {
            (components[$0].phase.index, $0) < (components[$1].phase.index, $1)
        }
        var isDone = [Bool](repeating: false, count: components.count)
        var order: [Int] = []
        while order.count < components.count {
            let next = listed.first { position in
                !isDone[position] && prerequisites[position].allSatisfy { isDone[$0] }
            }
            guard let next else {
                throw .cycle(cycle(among: listed.filter { !isDone[$0] }, components, prerequisites))
            }
            isDone[next] = true
            order.append(next)
        }
        return order
    }

    /// Every component left over waits for another one left over, so walking on must come back.
    private static func cycle(
        among rest: [Int],
        _ components: [ComponentSpecification],
        _ prerequisites: [[Int]]
    ) -> [String] {
        var walk: [Int] = []
        var position = rest[0]
        while true {
            if let start = walk.firstIndex(of: position) {
                return (walk[start...] + [position]).map { components[$0].name }
            }
            walk.append(position)
            guard let next = prerequisites[position].first(where: { rest.contains($0) }) else {
                preconditionFailure("\(components[position].name) waits for nobody left over")
            }
            position = next
        }
    }

    /// The shortest way from a component that nobody needs down to `name`.
    private static func path(to name: String, in components: [ComponentSpecification]) -> [String] {
        var path = [name]
        while let above = components.first(where: { component in
            (component.dependencies + component.optionalDependencies).contains(path[0])
                && !path.contains(component.name)
        }) {
            path.insert(above.name, at: 0)
        }
        return path
    }

    /// The most similar name, if one differs in at most a third of its letters.
    private static func nearest(_ name: String, among names: [String]) -> String? {
        var best: (name: String, distance: Int)?
        for candidate in names {
            let distance = editDistance(Array(name.utf8), Array(candidate.utf8))
            if distance < best?.distance ?? (max(name.utf8.count, 3) / 3 + 1) {
                best = (candidate, distance)
            }
        }
        return best?.name
    }

    /// Levenshtein's distance.
    private static func editDistance(_ left: [UInt8], _ right: [UInt8]) -> Int {
        var row = Array(0...right.count)
        for i in left.indices {
            var diagonal = row[0]
            row[0] = i + 1
            for j in right.indices {
                let substituted = diagonal + (left[i] == right[j] ? 0 : 1)
                diagonal = row[j + 1]
                row[j + 1] = min(substituted, diagonal + 1, row[j] + 1)
            }
        }
        return row[right.count]
    }
}

extension ComponentGraph {
    /// Which components stand below which, through any number of steps.
    var reachable: Reachability {
        var below = Reachability(count: components.count)
        for position in order {
            for prerequisite in prerequisites[position] {
                below.insert(prerequisite, below: position)
            }
        }
        return below
    }

    /// Groups that could start together: the first waits for nobody, each waits for those before.
    public var levels: [[Int]] {
        var level = [Int](repeating: 0, count: components.count)
        for position in order {
            level[position] = (prerequisites[position].map { level[$0] }.max() ?? -1) + 1
        }
        return (0...(level.max() ?? 0)).map { number in
            components.indices.filter { level[$0] == number }
        }.filter { !$0.isEmpty }
    }

    /// What each component waits for when the graph is started in that order; includes what it waits
    /// for in any case.
    public func waits(in order: StartOrder) -> [[Int]] {
        switch order {
        case .dependencyReady: prerequisites
        case .sequential: waits(afterGroups: self.order.map { [$0] }, backgroundHoldsUp: true)
        case .levelParallel: waits(afterGroups: phaseLevels, backgroundHoldsUp: false)
        }
    }

    /// Levels inside each phase, one after the other.
    var phaseLevels: [[Int]] {
        var groups: [[Int]] = []
        for phase in BootPhase.allCases {
            var level = [Int](repeating: 0, count: components.count)
            let members = order.filter { components[$0].phase == phase }
            for position in members {
                let inside = prerequisites[position].filter { components[$0].phase == phase }
                level[position] = (inside.map { level[$0] }.max() ?? -1) + 1
            }
            for number in 0..<members.count {
                let group = members.filter { level[$0] == number }
                if !group.isEmpty { groups.append(group) }
            }
        }
        return groups
    }

    /// Each member waits for the whole group before; unless `backgroundHoldsUp`, what holds no
    /// readiness is waited for only by those that depend on it.
    private func waits(afterGroups groups: [[Int]], backgroundHoldsUp: Bool) -> [[Int]] {
        var waits = prerequisites
        var before: [Int] = []
        for group in groups {
            for position in group {
                waits[position] = Set(waits[position] + before).sorted()
            }
            let holding = group.filter { backgroundHoldsUp || components[$0].holdsReadiness }
            if !holding.isEmpty { before = holding }
        }
        return waits
    }

    /// The longest chain of dependencies to the last component that holds readiness, when component
    /// `n` takes `durations[n]`: no order of starting is faster.
    public func criticalPath(_ durations: [Interval]) -> CriticalPath {
        precondition(durations.count == components.count, "\(durations.count) durations")
        var end = [Interval](repeating: .zero, count: components.count)
        var previous = [Int?](repeating: nil, count: components.count)
        for position in order {
            var start = Interval.zero
            for prerequisite in prerequisites[position] where end[prerequisite] > start {
                start = end[prerequisite]
                previous[position] = prerequisite
            }
            end[position] = start + durations[position]
        }
        var last: Int?
        for position in order where components[position].holdsReadiness {
            if last.map({ end[position] > end[$0] }) ?? true { last = position }
        }
        guard let last else { return CriticalPath(components: [], length: .zero) }
        var path: [String] = []
        var walk: Int? = last
        while let position = walk {
            path.insert(components[position].name, at: 0)
            walk = previous[position]
        }
        return CriticalPath(components: path, length: end[last])
    }

    /// By position: the expected time from the component's start to the end of the longest chain
    /// above it.
    var expectedTails: [Interval] {
        var tails = [Interval](repeating: .zero, count: components.count)
        for position in order.reversed() {
            let above = dependents[position].map { tails[$0] }.max() ?? .zero
            tails[position] = above + components[position].expectedDuration
        }
        return tails
    }
}

/// The chain of components that bounds a boot from below.
public struct CriticalPath: Hashable, Sendable {
    /// From the first to the last.
    public var components: [String]
    public var length: Interval

    public init(components: [String], length: Interval) {
        self.components = components
        self.length = length
    }
}

/// Pairs of components of which one stands below the other; one bit each.
struct Reachability: Sendable {
    private let wordsPerRow: Int
    private var words: [UInt64]

    init(count: Int) {
        wordsPerRow = (count + 63) / 64
        words = Array(repeating: 0, count: wordsPerRow * count)
    }

    /// Puts a component, and all that stand below it already, below another one.
    mutating func insert(_ lower: Int, below upper: Int) {
        for word in 0..<wordsPerRow {
            words[upper * wordsPerRow + word] |= words[lower * wordsPerRow + word]
        }
        words[upper * wordsPerRow + lower / 64] |= 1 << UInt64(lower % 64)
    }

    func contains(_ lower: Int, below upper: Int) -> Bool {
        words[upper * wordsPerRow + lower / 64] >> UInt64(lower % 64) & 1 == 1
    }
}
