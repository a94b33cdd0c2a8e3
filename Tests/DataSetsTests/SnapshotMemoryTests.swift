import DataSets
import Determinism
import Machines
import Migration
import Testing
import Units

@Suite struct SnapshotMemoryTests {
    private let start = Instant(nanoseconds: 5_000_000_000)

    private func memory(_ set: MemoryDataSet, seed: UInt64 = 3) -> SnapshotMemory {
        SnapshotMemory(dataSet: set, start: start, seed: seed)
    }

    /// Goal: at the instant of a snapshot the memory is that snapshot, forwards and backwards.
    /// Method: uneven gaps, three crossings of the sequence, every page compared.
    @Test func snapshotsAreMetExactly() {
        let gaps: [Interval] = [.milliseconds(700), .seconds(2), .nanoseconds(13)]
        let set = Samples.drifting(
            pages: 300,
            snapshots: 4,
            change: Ratio(0.4),
            seed: 2,
            gaps: gaps
        )
        let memory = memory(set)
        var instant = start
        var visited = [(instant, 0)]
        for (gap, snapshot) in [(0, 1), (1, 2), (2, 3), (2, 2), (1, 1), (0, 0), (0, 1)] {
            instant += gaps[gap]
            visited.append((instant, snapshot))
        }
        for (instant, snapshot) in visited {
            for page in 0..<300 {
                let expected = set.poolIndex(snapshot: snapshot, page: page)
                #expect(memory.poolIndex(page: page, at: instant) == expected)
            }
        }
        #expect(memory.poolIndices(at: start - .seconds(1)) == memory.poolIndices(at: start))
    }

    /// Goal: changes are spread evenly over a gap, so that no instant is special. Method: 20,000
    /// pages that all change once; each tenth of the gap must hold a tenth of them within 5 σ.
    @Test func changesAreSpreadOverTheGap() {
        let set = Samples.dataSet([
            [UInt64](repeating: 1, count: 20_000), [UInt64](repeating: 2, count: 20_000),
        ])
        let memory = memory(set)
        for tenth in 0..<10 {
            let since = start + .milliseconds(100 * Int64(tenth))
            let count = memory.dirtyPages(since: since, until: since + .milliseconds(100)).count
            #expect(abs(count - 2_000) < 212, "tenth \(tenth): \(count)")
        }
        let other = self.memory(set, seed: 4)
        let half = start + .milliseconds(500)
        #expect(other.poolIndices(at: half) != memory.poolIndices(at: half))
    }

    /// Goal: `dirtyPages` is the difference of contents, `writtenPages` a superset that holds
    /// everything that changed in between. Method: random spans, against a model that samples the
    /// memory at every instant of change.
    @Test func dirtyAndWrittenPagesAgreeWithAModel() {
        var random = Samples.random(5)
        let gaps: [Interval] = [.nanoseconds(40), .nanoseconds(25), .nanoseconds(60)]
        let set = Samples.drifting(pages: 30, snapshots: 4, change: Ratio(0.5), seed: 6, gaps: gaps)
        let memory = memory(set)
        // Times are so short that every nanosecond can be looked at.
        let states = (0...600).map { memory.poolIndices(at: start + .nanoseconds(Int64($0))) }
        for _ in 0..<3_000 {
            let one = Int(random.below(601))
            let other = Int(random.below(601))
            let (since, until) = (min(one, other), max(one, other))
            let from = start + .nanoseconds(Int64(since))
            let to = start + .nanoseconds(Int64(until))
            let dirty = (0..<30).filter { states[since][$0] != states[until][$0] }
            #expect(memory.dirtyPages(since: from, until: to) == dirty)
            #expect(memory.dirtyPages(since: to, until: from) == dirty)
            let written = (0..<30).filter { page in
                (since..<until).contains { states[$0][page] != states[$0 + 1][page] }
            }
            #expect(memory.writtenPages(since: from, until: to) == written)
            #expect(memory.dirtyPages(after: from, through: to) == written)
        }
    }

    /// Goal: turns are counted. Method: instants before, at and after the ends of the walk.
    @Test func turnsAreCounted() {
        let memory = memory(Samples.dataSet([[1], [2], [3]]))
        let cases: [(Int64, Int)] = [
            (-1, 0), (0, 0), (1_999, 0), (2_000, 1), (3_999, 1), (4_000, 2),
        ]
        for (milliseconds, turns) in cases {
            #expect(memory.wraps(at: start + .milliseconds(milliseconds)) == turns)
        }
        let still = self.memory(Samples.dataSet([[1, 2]]))
        #expect(still.wraps(at: start + .seconds(9)) == 0)
        #expect(still.writtenPages(since: start, until: start + .seconds(9)).isEmpty)
        #expect(still.pageBytes(page: 1, at: start + .seconds(9)).elementsEqual(Samples.page(2)))
    }

    /// Goal: the walk is the same on every machine and in every version. Method: a digest of the
    /// committed set's memory at instants over two crossings, against the known answer.
    @Test func walkIsReproducible() {
        let memory = SnapshotMemory(dataSet: SeededDataSet.generate(), start: .zero, seed: 7)
        var chain = HashChain()
        for step in 0..<120 {
            for index in memory.poolIndices(at: .zero + .milliseconds(97) * Int64(step)) {
                chain.combine(UInt64(index))
            }
        }
        #expect("\(chain.fingerprint)" == "edd71940a50875422446d64b6fe0a412")
    }

    /// Goal: as guest memory it gives whole pages whose versions name their contents. Method: the
    /// protocol's own rule, over all pages at two instants.
    @Test func guestMemoryVersionsNameContents() {
        func check(_ guest: some GuestMemory) {
            let (one, other) = (start + .milliseconds(300), start + .milliseconds(1_700))
            for page in 0..<guest.pageCount {
                let isSame =
                    guest.contentVersion(ofPage: page, at: one)
                    == guest.contentVersion(ofPage: page, at: other)
                #expect((guest.page(page, at: one) == guest.page(page, at: other)) == isSame)
                #expect(guest.page(page, at: one).count == 4096)
            }
        }
        check(memory(Samples.drifting(pages: 64, snapshots: 3, change: Ratio(0.5), seed: 9)))
    }
}
