import DeltaEncoding
import Determinism
import Machines
import Testing
import Units

// Goal: the parts that the codec stands on do what they say.
// Method: known answers, and comparison with the obvious slow form on seeded pages.
@Suite struct PartsTests {
    // The checksum is part of the wire format: it may never change.
    @Test func checksumsAreKnown() {
        func checksum(_ count: Int, key: UInt64 = 0) -> UInt64 {
            let bytes = (0..<count).map { UInt8(truncatingIfNeeded: $0 &* 7 &+ 3) }
            return bytes.withUnsafeBytes { Checksum.of($0, key: key) }
        }
        #expect(checksum(0) == 13771624156588896557)
        #expect(checksum(1) == 13676163599411683687)
        #expect(checksum(63) == 2369747675402628117)
        #expect(checksum(64) == 4238045793152119483)
        #expect(checksum(4096) == 7198403933462735664)
        #expect(checksum(4096, key: 1) == 4319372884023033522)
    }

    @Test func everySingleBitChangesTheChecksum() {
        var page = [UInt8](repeating: 0, count: 200)
        var seen: Set<UInt64> = [page.withUnsafeBytes { Checksum.of($0) }]
        for bit in 0..<page.count * 8 {
            page[bit / 8] ^= 1 << UInt8(bit % 8)
            #expect(seen.insert(page.withUnsafeBytes { Checksum.of($0) }).inserted)
            page[bit / 8] ^= 1 << UInt8(bit % 8)
        }
        for count in 0..<200 {
            #expect(seen.insert(page[..<count].withUnsafeBytes { Checksum.of($0) }).inserted)
        }
    }

    @Test func deltasEqualTheSlowForm() {
        var memory = TestMemory(pageCount: 40, seed: 21)
        for _ in 0..<20 {
            let before = memory.pages
            for number in memory.mutate() {
                let (old, new) = (before[Int(number.rawValue)], memory.pages[Int(number.rawValue)])
                var mask = [UInt8](repeating: 0xAA, count: Page.maskSize)
                var words = [UInt8](repeating: 0, count: Page.size + Page.wordSize)
                let count = mask.withUnsafeMutableBytes { mask in
                    words.withUnsafeMutableBytes { words in
                        new.withUnsafeBytes { new in
                            old.withUnsafeBytes { old in
                                PageComparison.delta(
                                    of: new,
                                    against: old,
                                    mask: mask.baseAddress!,
                                    words: words.baseAddress!
                                )
                            }
                        }
                    }
                }
                var expectedWords: [UInt8] = []
                var expectedMask = [UInt8](repeating: 0, count: Page.maskSize)
                for word in 0..<Page.wordCount {
                    let range = word * 8..<word * 8 + 8
                    let newWord = Array(new)[range]
                    if newWord != Array(old)[range] {
                        expectedWords += newWord
                        expectedMask[word / 8] |= 1 << UInt8(word % 8)
                    }
                }
                #expect(mask == expectedMask)
                #expect(Array(words.prefix(count * 8)) == expectedWords)
            }
        }
    }

    @Test func zeroPagesAreFoundByEveryByte() {
        var page = [UInt8](repeating: 0, count: Page.size)
        #expect(page.withUnsafeBytes { PageComparison.isZero($0) })
        for index in page.indices {
            page[index] = 1
            #expect(!page.withUnsafeBytes { PageComparison.isZero($0) })
            page[index] = 0
        }
    }

    // Goal: a copy of a page table is a view that later changes do not touch.
    @Test func pageTablesAreValues() {
        let page = Bytes([UInt8](repeating: 1, count: Page.size))
        var table = PageTable(pageCount: 1000)
        for number in 0..<1000 where number % 3 == 0 {
            table.set(PageNumber(UInt32(number)), to: page)
        }
        let view = table
        table.set(PageNumber(999), to: Page.zero)
        table.set(PageNumber(1), to: page)
        #expect(view[PageNumber(999)] == page)
        #expect(view[PageNumber(1)] == nil)
        #expect(table[PageNumber(999)] == Page.zero)
        #expect((view.heldCount, table.heldCount) == (334, 335))
        #expect(!view.contains(PageNumber(1000)))
    }

    // Goal: the digest of a memory tells memories apart by content, place and absence.
    @Test func memoryDigestsTellMemoriesApart() {
        let (one, two) = (
            Bytes([UInt8](repeating: 1, count: Page.size)),
            Bytes([UInt8](repeating: 2, count: Page.size))
        )
        func digest(_ pages: [Bytes?]) -> MemoryDigest {
            var table = PageTable(pageCount: pages.count)
            for (number, page) in pages.enumerated() {
                if let page { table.set(PageNumber(UInt32(number)), to: page) }
            }
            let job = MemoryDigestJob(memory: table)
            let digest = job.run()
            #expect(
                job.cost(of: digest)
                    == WorkCost(.checksum, ByteCount(Int64(digest.heldPages) * 4096))
            )
            return digest
        }
        let all = [
            digest([one, two]), digest([two, one]), digest([one, nil]), digest([nil, one]),
            digest([one, Page.zero]), digest([]),
        ]
        #expect(Set(all).count == all.count)
        #expect(digest([one, two]) == all[0])
    }
}
