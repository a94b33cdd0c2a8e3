import DataSets
import Determinism
import Testing
import Units

@Suite struct AddressSpaceTests {
    private func extent(_ page: UInt64, _ pages: [UInt32], _ label: String = "")
        -> AddressSpace.Extent
    {
        AddressSpace.Extent(address: page * 4096, label: label, pages: pages)
    }

    /// Goal: mappings that appear, grow or go are zeros where they are not. Method: by hand.
    @Test func unionCoversEverySnapshot() {
        let snapshots = [
            [extent(10, [1, 2], "[heap]"), extent(50, [3])],
            [extent(10, [1, 2, 4], "[heap]"), extent(40, [5, 6])],
            [extent(11, [7, 8], "[heap]")],
        ]
        let space = AddressSpace(covering: snapshots)
        #expect(
            space.regions == [
                MemoryRegion(address: 10 * 4096, pageCount: 3, label: "[heap]"),
                MemoryRegion(address: 40 * 4096, pageCount: 2, label: ""),
                MemoryRegion(address: 50 * 4096, pageCount: 1, label: ""),
            ]
        )
        #expect(space.table(of: snapshots[0]) == [1, 2, 0, 0, 0, 3])
        #expect(space.table(of: snapshots[1]) == [1, 2, 4, 5, 6, 0])
        #expect(space.table(of: snapshots[2]) == [0, 7, 8, 0, 0, 0])
    }

    /// Goal: the same, for any mappings. Method: 2,000 random address spaces of up to 40 pages with
    /// three snapshots, against a model that asks address by address.
    @Test func unionAgreesWithAModel() {
        var random = Samples.random(31)
        for _ in 0..<2_000 {
            let snapshots = (0..<3).map { _ in randomExtents(&random) }
            let space = AddressSpace(covering: snapshots)
            let models = snapshots.map { extents in
                var model: [UInt64: UInt32] = [:]
                for extent in extents {
                    for (offset, page) in extent.pages.enumerated() {
                        model[extent.address / 4096 + UInt64(offset)] = page
                    }
                }
                return model
            }
            let pages = space.regions.flatMap { region in
                (0..<UInt64(region.pageCount)).map { region.address / 4096 + $0 }
            }
            #expect(pages == Set(models.flatMap(\.keys)).sorted())
            #expect(space.pageCount == pages.count)
            for (extents, model) in zip(snapshots, models) {
                #expect(space.table(of: extents) == pages.map { model[$0] ?? 0 })
            }
        }
    }

    private func randomExtents(_ random: inout SeededRandom) -> [AddressSpace.Extent] {
        var extents: [AddressSpace.Extent] = []
        var page: UInt64 = 0
        while page < 40 {
            page += random.below(6)
            let pages = (0...random.below(8)).map { _ in UInt32(1 + random.below(90)) }
            extents.append(extent(page, pages, random.chance(.init(0.5)) ? "[heap]" : ""))
            page += UInt64(pages.count)
        }
        return extents
    }
}
