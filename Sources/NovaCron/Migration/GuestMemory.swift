public import Machines
public import Units

/// The memory of a running guest as its host sees it: pages of 4 KiB whose content changes with
/// the guest's own clock.
///
/// The guest's clock follows the host's monotonic clock while the guest runs and stands still
/// while it is paused; the migration source keeps it, so a conformer is a pure function of
/// `(page, time)` and asking twice gives the same answer. Times asked for never decrease by more
/// than the length of a migration, and may be equal.
public protocol GuestMemory: Sendable {
    /// The number of pages; constant over the guest's life, at least one.
    var pageCount: Int { get }

    /// Pages that were written in the half-open span `(start, end]`, ascending, each once.
    ///
    /// A superset of the pages whose content at `end` differs from their content at `start`: a
    /// page that was written twice and holds its old content again may be listed or not.
    func dirtyPages(after start: Instant, through end: Instant) -> [Int]

    /// The 4,096 bytes of a page at that time: a slice of shared storage, nothing is copied.
    func page(_ index: Int, at time: Instant) -> Bytes

    /// A name for the content of a page at that time, cheap to ask for.
    ///
    /// Equal versions of one page mean equal bytes; different versions may still hold equal bytes
    /// (a page written with what it held). Versions of different pages are not comparable.
    func contentVersion(ofPage index: Int, at time: Instant) -> UInt64
}

extension GuestMemory {
    /// The size of a page in bytes.
    public static var pageSize: Int { 4_096 }

    /// The size of the whole memory.
    public var size: ByteCount { ByteCount(Int64(pageCount * Self.pageSize)) }
}
