public import Machines
public import Units

/// Memory as a pure function of time: the snapshots of a data set walked 0…K…0 at the captured gaps.
///
/// A page that differs between two snapshots takes its new content at an instant inside the gap that
/// a hash of (seed, gap, page number) chooses, so that dirtying is spread over the gap; on the way
/// back it returns to the old content at the same place. At the instant of a snapshot the memory is
/// exactly that snapshot. Reasons and limits: `docs/decisions/0003-snapshot-walk.md`.
///
/// Nothing is stored per page: any instant can be asked for, in any order, at the same cost.
public struct SnapshotMemory: Sendable {
    public let dataSet: MemoryDataSet
    /// When the walk begins; before it, memory is the first snapshot.
    public let start: Instant
    /// Chooses the instants of change inside the gaps, so that replications differ.
    public let seed: UInt64

    /// `boundaries[k]` is the position of snapshot `k`, in nanoseconds from the first one.
    private let boundaries: [Int64]

    /// - Parameter seed: replications with different seeds see the same contents change at other
    ///   instants of the same gap.
    public init(dataSet: MemoryDataSet, start: Instant, seed: UInt64 = 0) {
        self.dataSet = dataSet
        self.start = start
        self.seed = seed
        var positions: [Int64] = [0]
        for gap in dataSet.gaps {
            positions.append(positions[positions.count - 1] + gap.nanoseconds)
        }
        boundaries = positions
    }

    public var pageCount: Int { dataSet.pageCount }

    /// How often the walk has reached an end and turned round by `instant`.
    public func wraps(at instant: Instant) -> Int {
        let length = boundaries[boundaries.count - 1]
        guard length > 0 else { return 0 }
        return Int(max(0, (instant - start).nanoseconds) / length)
    }

    /// A place on the walk, resolved once so that many pages can be asked for at the same instant.
    public struct Place: Hashable, Sendable, BitwiseCopyable {
        /// Nanoseconds from the first snapshot, 0 … duration.
        var position: Int64
        /// The gap that contains the position; the last one at the very end.
        var gap: Int
        /// Nanoseconds from the start of that gap.
        var offset: Int64
    }

    /// Where the walk is at an instant.
    public func place(at instant: Instant) -> Place {
        let length = boundaries[boundaries.count - 1]
        guard length > 0 else { return Place(position: 0, gap: 0, offset: 0) }
        let phase = max(0, (instant - start).nanoseconds) % (2 * length)
        let position = phase <= length ? phase : 2 * length - phase
        var gap = 0
        while gap + 2 < boundaries.count, boundaries[gap + 1] <= position { gap += 1 }
        return Place(position: position, gap: gap, offset: position - boundaries[gap])
    }

    /// Which distinct page of the data set is at page number `page`; equal indices, equal content.
    public func poolIndex(page: Int, at instant: Instant) -> UInt32 {
        poolIndex(page: page, at: place(at: instant))
    }

    public func poolIndex(page: Int, at place: Place) -> UInt32 {
        let before = dataSet.poolIndex(snapshot: place.gap, page: page)
        guard place.gap + 1 < boundaries.count else { return before }
        let after = dataSet.poolIndex(snapshot: place.gap + 1, page: page)
        if before == after { return before }
        return changeOffset(page: page, gap: place.gap) <= place.offset ? after : before
    }

    /// The content of a page, shared with the data set, not copied.
    public func pageBytes(page: Int, at instant: Instant) -> Bytes {
        dataSet.poolPage(poolIndex(page: page, at: instant))
    }

    /// The whole memory as pool indices in page order.
    public func poolIndices(at instant: Instant) -> [UInt32] {
        let place = place(at: instant)
        return (0..<pageCount).map { poolIndex(page: $0, at: place) }
    }

    /// The pages whose content at `until` differs from their content at `since`, ascending.
    ///
    /// This is what a migration has to send again to be correct. `writtenPages` is what a dirty log
    /// would report.
    public func dirtyPages(since: Instant, until: Instant) -> [Int] {
        let first = place(at: since)
        let last = place(at: until)
        return pagesChanging(from: first.position, to: last.position)
            .filter { poolIndex(page: $0, at: first) != poolIndex(page: $0, at: last) }
    }

    /// The pages that changed at least once after `since` and up to `until`, ascending, even when
    /// the walk has turned round and brought their old content back.
    ///
    /// A hypervisor's dirty log reports these: it sees writes, not contents.
    public func writtenPages(since: Instant, until: Instant) -> [Int] {
        guard since < until else { return [] }
        let range = positions(since: since, until: until)
        return pagesChanging(from: range.lowerBound, to: range.upperBound)
    }

    /// All positions that the walk touches between two instants; connected, hence a range.
    private func positions(since: Instant, until: Instant) -> ClosedRange<Int64> {
        let length = boundaries[boundaries.count - 1]
        let first = place(at: since).position
        let last = place(at: until).position
        let turns = wraps(at: until) - wraps(at: since)
        if turns >= 2 { return 0...length }
        if turns == 0 { return min(first, last)...max(first, last) }
        // One turn: at the end when the walk was going forward before it, else at the beginning.
        let wasForward = wraps(at: since) % 2 == 0
        return wasForward ? min(first, last)...length : 0...max(first, last)
    }

    /// The pages with an instant of change in (low, high], whichever way round they are given.
    private func pagesChanging(from one: Int64, to other: Int64) -> [Int] {
        let low = min(one, other)
        let high = max(one, other)
        var lists: [[Int]] = []
        for gap in dataSet.gaps.indices
        where boundaries[gap] < high && boundaries[gap + 1] > low {
            let offsets = (low - boundaries[gap])...(high - boundaries[gap])
            lists.append(pagesChanging(inGap: gap, offsets: offsets))
        }
        guard lists.count > 1 else { return lists.first ?? [] }
        var changed = [Bool](repeating: false, count: pageCount)
        for list in lists {
            for page in list { changed[page] = true }
        }
        return changed.indices.filter { changed[$0] }
    }

    private func pagesChanging(inGap gap: Int, offsets: ClosedRange<Int64>) -> [Int] {
        var pages: [Int] = []
        for page in dataSet.changedPages(acrossGap: gap) {
            let offset = changeOffset(page: Int(page), gap: gap)
            if offset > offsets.lowerBound, offset <= offsets.upperBound { pages.append(Int(page)) }
        }
        return pages
    }

    /// When inside a gap a page changes: 1 … gap nanoseconds after the snapshot before it.
    ///
    /// Never 0, so that at the instant of a snapshot the memory is exactly that snapshot. The mixing
    /// is SplitMix64's finalizer (Steele, Lea and Flood, OOPSLA 2014), applied twice.
    private func changeOffset(page: Int, gap: Int) -> Int64 {
        let key = UInt64(page) << 32 | UInt64(gap)
        let mixed = SnapshotMemory.mixed(SnapshotMemory.mixed(seed) ^ key)
        let length = UInt64(boundaries[gap + 1] - boundaries[gap])
        return Int64(mixed.multipliedFullWidth(by: length).high) + 1
    }

    private static func mixed(_ value: UInt64) -> UInt64 {
        var word = value &+ 0x9E37_79B9_7F4A_7C15
        word = (word ^ (word >> 30)) &* 0xBF58_476D_1CE4_E5B9
        word = (word ^ (word >> 27)) &* 0x94D0_49BB_1331_11EB
        return word ^ (word >> 31)
    }
}
