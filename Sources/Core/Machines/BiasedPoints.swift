import Determinism
public import Units

/// Places in a machine where a simulation may choose the unlikely way, and events that a campaign
/// must have seen, both by name.
///
/// After FoundationDB's `BUGGIFY` (Zhou et al., "FoundationDB: A Distributed Unbundled
/// Transactional Key Value Store", SIGMOD 2021): an `if points.strikes("…")` guards behaviour that
/// is allowed but rare, such as a batch of one entry, a snapshot before its time, or a time-out
/// that is far too short. The code is compiled in. Each name is enabled for a whole run or not, and
/// where it is, strikes now and then; both follow from the run's seed and the name and from nothing
/// else, so that adding a point moves no other.
///
/// A machine takes the value from its ``Birth``, keeps it, and returns it as
/// ``Machine/biasedPoints`` for the report. Outside of simulations it is ``off``, which is what a
/// birth has unless it is told otherwise: then nothing ever strikes and nothing is counted.
public struct BiasedPoints: Sendable {
    /// How likely a name is enabled in a run, and how likely an enabled one strikes at each visit.
    public struct Chances: Hashable, Sendable {
        public var enabled: Ratio
        public var strikes: Ratio

        public init(enabled: Ratio, strikes: Ratio) {
            self.enabled = enabled
            self.strikes = strikes
        }

        /// What FoundationDB uses for both: a quarter.
        public static let usual = Chances(enabled: Ratio(0.25), strikes: Ratio(0.25))
    }

    /// What a run did with one name.
    public struct Coverage: Hashable, Sendable {
        public enum Kind: Hashable, Sendable {
            case point
            /// An event that must happen sometimes.
            case sometimes
        }

        public var name: String
        public var kind: Kind
        /// Of a point: whether it could strike in this run.
        public var isEnabled: Bool
        /// How often the machine came to the place.
        public var visits: UInt64
        /// How often the point struck, or the event happened.
        public var hits: UInt64

        public init(name: String, kind: Kind, isEnabled: Bool, visits: UInt64, hits: UInt64) {
            self.name = name
            self.kind = kind
            self.isEnabled = isEnabled
            self.visits = visits
            self.hits = hits
        }
    }

    private struct Entry: Sendable {
        let name: StaticString
        let kind: Coverage.Kind
        let isEnabled: Bool
        var random: SeededRandom
        var visits: UInt64 = 0
        var hits: UInt64 = 0
    }

    private let isCounting: Bool
    private let chances: Chances?
    private let seed: UInt64
    private let node: NodeID
    private let incarnation: UInt32
    private var entries: [Entry] = []

    /// Nothing strikes, nothing is counted.
    public static let off = BiasedPoints(
        isCounting: false,
        chances: nil,
        seed: 0,
        node: NodeID(0),
        incarnation: 0
    )

    /// For simulations only: real nodes must never choose the unlikely way on purpose.
    ///
    /// - Parameter chances: `nil` counts events and lets nothing strike.
    public static func simulated(
        seed: UInt64,
        node: NodeID,
        incarnation: UInt32,
        chances: Chances?
    ) -> BiasedPoints {
        BiasedPoints(
            isCounting: true,
            chances: chances,
            seed: seed,
            node: node,
            incarnation: incarnation
        )
    }

    private init(
        isCounting: Bool,
        chances: Chances?,
        seed: UInt64,
        node: NodeID,
        incarnation: UInt32
    ) {
        self.isCounting = isCounting
        self.chances = chances
        self.seed = seed
        self.node = node
        self.incarnation = incarnation
    }

    /// Whether anything may strike at all.
    public var canStrike: Bool { chances != nil }

    /// Whether the machine should go the unlikely way here.
    ///
    /// - Parameters:
    ///   - name: what a report calls the place, for example `log: batch of one`.
    ///   - chance: of an enabled point at each visit, instead of the run's.
    @inline(__always)
    public mutating func strikes(_ name: StaticString, chance: Ratio? = nil) -> Bool {
        guard let chances else { return false }
        return draw(name, chance ?? chances.strikes, chances)
    }

    /// Notes that something happened which a campaign must have seen at least once.
    @inline(__always)
    public mutating func sometimes(_ name: StaticString, _ happened: Bool = true) {
        guard isCounting else { return }
        count(name, happened)
    }

    /// What became of every name that was visited, in order of names.
    public var coverage: [Coverage] {
        entries.map { entry in
            Coverage(
                name: entry.name.description,
                kind: entry.kind,
                isEnabled: entry.isEnabled,
                visits: entry.visits,
                hits: entry.hits
            )
        }
        .sorted { $0.name < $1.name }
    }

    @inline(never)
    private mutating func draw(_ name: StaticString, _ chance: Ratio, _ chances: Chances) -> Bool {
        let index = index(of: name, .point, chances)
        entries[index].visits &+= 1
        guard entries[index].isEnabled, entries[index].random.chance(chance) else { return false }
        entries[index].hits &+= 1
        return true
    }

    @inline(never)
    private mutating func count(_ name: StaticString, _ happened: Bool) {
        let index = index(of: name, .sometimes, nil)
        entries[index].visits &+= 1
        if happened { entries[index].hits &+= 1 }
    }

    private mutating func index(
        of name: StaticString,
        _ kind: Coverage.Kind,
        _ chances: Chances?
    ) -> Int {
        let known = entries.firstIndex { $0.kind == kind && BiasedPoints.areEqual($0.name, name) }
        if let known { return known }
        // Whether a name is enabled is the same for all nodes and lives of a run.
        var enabling = SeededRandom(seed: seed, entity: EntityID(.experiment, 1), purpose: name)
        // The top bit keeps these streams apart from those of the machine itself.
        let random = SeededRandom(
            seed: seed,
            entity: EntityID(node),
            purpose: name,
            incarnation: incarnation | 1 << 31
        )
        entries.append(
            Entry(
                name: name,
                kind: kind,
                isEnabled: chances.map { enabling.chance($0.enabled) } ?? false,
                random: random
            )
        )
        return entries.count - 1
    }

    /// Literals of the same text may lie in different places.
    private static func areEqual(_ left: StaticString, _ right: StaticString) -> Bool {
        guard left.utf8CodeUnitCount == right.utf8CodeUnitCount else { return false }
        if left.utf8Start == right.utf8Start { return true }
        return left.withUTF8Buffer { first in
            right.withUTF8Buffer { first.elementsEqual($0) }
        }
    }
}

extension [BiasedPoints.Coverage] {
    /// The coverage of several lives, nodes or runs together, in order of names.
    public func merged(with others: [BiasedPoints.Coverage]) -> [BiasedPoints.Coverage] {
        var all = self
        for other in others {
            if let index = all.firstIndex(where: { $0.name == other.name && $0.kind == other.kind })
            {
                all[index].isEnabled = all[index].isEnabled || other.isEnabled
                all[index].visits &+= other.visits
                all[index].hits &+= other.hits
            } else {
                all.append(other)
            }
        }
        return all.sorted { $0.name < $1.name }
    }
}
