public import Machines
public import Migration
public import Units

extension SnapshotMemory: GuestMemory {
    /// What a hypervisor's dirty log reports: written pages, even when their content came back.
    public func dirtyPages(after start: Instant, through end: Instant) -> [Int] {
        writtenPages(since: start, until: end)
    }

    public func page(_ index: Int, at time: Instant) -> Bytes {
        pageBytes(page: index, at: time)
    }

    public func contentVersion(ofPage index: Int, at time: Instant) -> UInt64 {
        UInt64(poolIndex(page: index, at: time))
    }
}
