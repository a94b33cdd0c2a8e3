import DataSets
import Determinism
import Machines
import Testing
import Units

@Suite struct MemoryDataSetTests {
    /// Goal: pages come back as they were put in, and equal content means equal indices.
    /// Method: random snapshots of numbered contents, compared page by page with the model.
    @Test func pagesAreKeptAndShared() {
        var random = Samples.random(1)
        let model = (0..<4).map { _ in (0..<97).map { _ in random.below(30) } }
        let set = Samples.dataSet(model)
        #expect(set.pageCount == 97)
        #expect(set.snapshotCount == 4)
        #expect(set.memorySize == ByteCount(97 * 4096))
        for snapshot in 0..<4 {
            for page in 0..<97 {
                let expected = Samples.page(model[snapshot][page])
                #expect(set.page(snapshot: snapshot, number: page).elementsEqual(expected))
                for other in 0..<97 {
                    let isSame = model[snapshot][page] == model[3][other]
                    let index = set.poolIndex(snapshot: snapshot, page: page)
                    #expect((index == set.poolIndex(snapshot: 3, page: other)) == isSame)
                }
            }
        }
        let distinct = Set(model.joined()).union([0])
        #expect(set.uniquePageCount == distinct.count)
    }

    /// Goal: changed and zero pages are counted right. Method: a table worked out by hand.
    @Test func changesAndZeroPagesAreCounted() {
        let set = Samples.dataSet([[0, 1, 2, 3], [0, 1, 5, 3], [7, 0, 2, 3]])
        #expect(set.changedPages(acrossGap: 0) == [2])
        #expect(set.changedPages(acrossGap: 1) == [0, 1, 2])
        #expect((0..<3).map { set.zeroPageCount(snapshot: $0) } == [1, 1, 1])
        #expect(set.duration == .seconds(2))
    }

    /// Goal: the digest names the content and nothing else. Method: the same memory under another
    /// name and read in another order keeps it; a changed bit, gap or order of snapshots does not.
    @Test func digestNamesContentOnly() {
        let snapshots: [[UInt64]] = [[4, 1, 2], [4, 3, 2]]
        let set = Samples.dataSet(snapshots)
        #expect(Samples.dataSet(snapshots, name: "other").digest == set.digest)
        #expect(Samples.dataSet([[4, 1, 2], [4, 3, 1]]).digest != set.digest)
        #expect(Samples.dataSet([[4, 3, 2], [4, 1, 2]]).digest != set.digest)
        #expect(Samples.dataSet(snapshots, gaps: [.seconds(2)]).digest != set.digest)

        var pool = PagePool()
        let backwards = [3, 2, 1, 4].map { value in
            Samples.page(value).withUnsafeBytes { pool.intern($0) }
        }
        let (three, two, one, four) = (backwards[0], backwards[1], backwards[2], backwards[3])
        let reordered = MemoryDataSet(
            name: "sample",
            origin: DataSetOrigin(kind: .imported, description: "read backwards"),
            gaps: [.seconds(1)],
            regions: [MemoryRegion(address: 0, pageCount: 3, label: "")],
            pool: pool,
            tables: [four, one, two, four, three, two]
        )
        #expect(reordered.digest == set.digest)
    }

    /// Goal: digests can be written down and read. Method: round trip and malformed text.
    @Test func digestsHaveATextForm() {
        let digest = Samples.dataSet([[1, 2]]).digest
        #expect(DataSetDigest("\(digest)") == digest)
        #expect("\(digest)".utf8.count == 64)
        #expect("\(digest)".hasPrefix(digest.short))
        #expect(DataSetDigest("12") == nil)
        #expect(DataSetDigest(String(repeating: "g", count: 64)) == nil)
    }

    /// Goal: a pool keeps pages apart that differ in one bit, over many table growths. Method:
    /// 20,000 pages that differ only in a counter, interned twice.
    @Test func poolTellsNearlyEqualPagesApart() {
        var pool = PagePool()
        var page = [UInt8](repeating: 7, count: 4096)
        for round in 0..<2 {
            for number in 0..<20_000 {
                page[4094] = UInt8(number & 0xff)
                page[4095] = UInt8(number >> 8)
                let index = page.withUnsafeBytes { pool.intern($0) }
                #expect(index == UInt32(number + 1), "round \(round)")
            }
        }
        #expect(pool.count == 20_001)
    }
}
