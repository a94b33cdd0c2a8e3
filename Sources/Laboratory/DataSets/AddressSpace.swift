/// The union of several snapshots' mappings: every address that any of them had.
///
/// Mappings appear, disappear and grow between snapshots, but snapshots of one data set have the
/// same pages. An address that a snapshot did not have holds zeros there, which is what the process
/// would find in memory just mapped.
package struct AddressSpace {
    /// One mapping's pages in one snapshot.
    package struct Extent: Hashable {
        package var address: UInt64
        package var label: String
        /// Pool indices in address order.
        package var pages: [UInt32]

        package init(address: UInt64, label: String, pages: [UInt32]) {
            self.address = address
            self.label = label
            self.pages = pages
        }

        var end: UInt64 { address + UInt64(pages.count * MemoryDataSet.pageSize) }
    }

    /// Disjoint, in address order.
    package private(set) var regions: [MemoryRegion]
    package let pageCount: Int

    /// - Parameter snapshots: the extents of each snapshot, disjoint and in address order.
    package init(covering snapshots: [[Extent]]) {
        regions = []
        // Where two snapshots name a range differently, the lower start, then the earlier snapshot
        // decides; what sticks out beyond it keeps its own name.
        let ordered = snapshots.enumerated()
            .flatMap { snapshot, extents in extents.map { (snapshot, $0) } }
            .sorted { ($0.1.address, $0.0) < ($1.1.address, $1.0) }
        for (_, extent) in ordered {
            let start = max(extent.address, regions.last?.end ?? 0)
            guard start < extent.end else { continue }
            let pages = Int((extent.end - start) / UInt64(MemoryDataSet.pageSize))
            if let last = regions.last, last.end == start, last.label == extent.label {
                regions[regions.count - 1].pageCount += pages
            } else {
                regions.append(
                    MemoryRegion(address: start, pageCount: pages, label: extent.label)
                )
            }
        }
        pageCount = regions.reduce(0) { $0 + $1.pageCount }
    }

    /// The page table of one snapshot over the whole space.
    package func table(of extents: [Extent]) -> [UInt32] {
        var table = [UInt32](repeating: PagePool.zeroPage, count: pageCount)
        var region = 0
        var firstPage = 0
        for extent in extents {
            var address = extent.address
            while address < extent.end {
                while regions[region].end <= address {
                    firstPage += regions[region].pageCount
                    region += 1
                }
                precondition(
                    regions[region].address <= address,
                    "no region covers address \(address)"
                )
                let stop = min(extent.end, regions[region].end)
                let target = firstPage + AddressSpace.pages(regions[region].address, address)
                let source = AddressSpace.pages(extent.address, address)
                let count = AddressSpace.pages(address, stop)
                table.replaceSubrange(
                    target..<target + count,
                    with: extent.pages[source..<source + count]
                )
                address = stop
            }
        }
        return table
    }

    private static func pages(_ start: UInt64, _ end: UInt64) -> Int {
        Int((end - start) / UInt64(MemoryDataSet.pageSize))
    }
}

extension MemoryRegion {
    /// The first address after it.
    var end: UInt64 { address + UInt64(pageCount * MemoryDataSet.pageSize) }
}
