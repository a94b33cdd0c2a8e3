import Determinism
import Units

/// The small data set that every machine can make again bit for bit: the memory of a session store.
///
/// A B+ tree in an arena of 4 MiB holds the sessions of a web shop. Between snapshots, one nominal
/// second apart, sessions begin, are used (Zipf-distributed), and expire. The arena *is* the memory:
/// pages become dirty because the tree's real work touches them.
public enum SeededDataSet {
    public static let name = "seeded-small"
    public static let defaultSeed: UInt64 = 42
    public static let snapshots = 6

    private static let arenaPages = 1024
    private static let initialSessions = 9_000
    private static let usesPerGap = 120
    private static let beginningsPerGap = 25
    private static let endingsPerGap = 20

    /// Runs the store and takes its snapshots; a pure function of the seed.
    public static func generate(seed: UInt64 = defaultSeed) -> MemoryDataSet {
        var store = SessionStore(seed: seed, pages: arenaPages, sessions: initialSessions)
        var pool = PagePool()
        var tables: [UInt32] = []
        for snapshot in 0..<snapshots {
            if snapshot > 0 {
                for _ in 0..<usesPerGap { store.useSession() }
                for _ in 0..<beginningsPerGap { store.beginSession() }
                for _ in 0..<endingsPerGap { store.endSession() }
            }
            store.arena.withUnsafeBytes { memory in
                for start in stride(from: 0, to: memory.count, by: MemoryDataSet.pageSize) {
                    let end = start + MemoryDataSet.pageSize
                    tables.append(
                        pool.intern(UnsafeRawBufferPointer(rebasing: memory[start..<end]))
                    )
                }
            }
        }
        return MemoryDataSet(
            name: name,
            origin: DataSetOrigin(
                kind: .generated,
                description: "a session store in a B+ tree inside 4 MiB, seed \(seed)"
            ),
            gaps: [Interval](repeating: .seconds(1), count: snapshots - 1),
            regions: [MemoryRegion(address: 0, pageCount: arenaPages, label: "arena")],
            pool: pool,
            tables: tables
        )
    }
}

/// Sessions by number in a paged tree.
private struct SessionStore {
    private var tree: PagedTree
    private var random: SeededRandom
    private let popularity: ZipfChoice
    /// Keys of the sessions there are; the place in the list is the rank.
    private var sessions: [UInt64] = []
    private var clock = 1_700_000_000

    init(seed: UInt64, pages: Int, sessions: Int) {
        tree = PagedTree(pages: pages)
        popularity = ZipfChoice(count: sessions)
        random = SeededRandom(
            seed: seed,
            entity: EntityID(.experiment, 0),
            purpose: "seeded data set"
        )
        for _ in 0..<sessions { beginSession() }
    }

    var arena: [UInt8] { tree.arena }

    mutating func beginSession() {
        let key = random.next()
        sessions.append(key)
        tree.set(key, to: record(visits: 1, items: Int(random.below(3))))
    }

    /// A visit: often only counters change, in place; sometimes the cart, and with it the length.
    mutating func useSession() {
        let key = sessions[popularity.pick(using: &random) % sessions.count]
        guard var value = tree.value(of: key).map(Array.init) else { return }
        clock += 1
        if random.chance(.percent(25)) {
            value = record(visits: 2, items: 1 + Int(random.below(4)))
        } else {
            // The time of the last visit is the first field and has a fixed width.
            value.replaceSubrange(8..<18, with: String(clock).utf8)
        }
        tree.set(key, to: value)
    }

    mutating func endSession() {
        let place = Int(random.below(UInt64(sessions.count)))
        let isGone = tree.remove(sessions[place])
        precondition(isGone, "session \(sessions[place]) was not in the tree")
        sessions.swapAt(place, sessions.count - 1)
        sessions.removeLast()
    }

    private mutating func record(visits: Int, items: Int) -> [UInt8] {
        clock += 1
        let name = Wording.name(using: &random)
        let cart = (0..<items)
            .map { _ in "{\"sku\":\(1000 + random.below(200)),\"quantity\":1}" }
            .joined(separator: ",")
        let text =
            "{\"seen\":\(clock),\"user\":\"\(name)\",\"visits\":\(visits),\"cart\":[\(cart)]}"
        return Array(text.utf8)
    }
}
