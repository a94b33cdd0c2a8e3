public import Effects
import SimulationKernel
public import Units

/// The file system of a simulated host.
///
/// Two images: what processes see, and what is sure to survive. `replace` and synced appends change
/// both, once their bytes are durable, with the folders above; all else changes the first only. A
/// crash decides by the seed what becomes of the difference, file by file: an appended file keeps a
/// beginning of its unsynced bytes, what was created may be gone, what was removed may be back,
/// permissions may be the old ones. Of an operation under way, a `replace` is done or not, and an
/// append leaves a beginning of its bytes.
///
/// All files belong to the user of all processes, who is not root: the owner's permission bits
/// count. Not modelled: links, blocks that read as zeros after a crash, folders' own sizes.
public final class SimulatedDisk: @unchecked Sendable {
    // Unchecked, because every use is confined to the executor's thread.

    public let capacity: ByteCount
    /// Bytes that others take on the same disk.
    public var foreignBytes = ByteCount.zero
    let device: StorageDevice
    let executor: VirtualExecutor
    private(set) var present = DiskImage()
    private(set) var durable = DiskImage()
    private(set) var faults: [DiskFault] = []
    private var used = 0
    /// By folder, as processes see it: names, sorted.
    private var names: [String: [String]] = [:]
    private var births: UInt64 = 0
    /// Held locks, by path.
    private var locks: [String: SimulatedProcess] = [:]

    init(_ device: StorageDevice, capacity: ByteCount, executor: VirtualExecutor) {
        self.device = device
        self.capacity = capacity
        self.executor = executor
        let root = DiskEntry(content: .folder, permissions: 0o755, birth: 0, folder: 0)
        present[DiskPath.root] = root
        durable[DiskPath.root] = root
        names[DiskPath.root] = []
    }

    // MARK: - For tests and faults

    /// How many times slower than its profile the disk works from now on; at least one.
    public var slowdown: Double {
        get { device.slowdown }
        set { device.slowdown = newValue }
    }

    /// Makes operations fail from now on; faults told first decide.
    public func inject(_ fault: DiskFault) {
        faults.append(fault)
    }

    public func removeFaults() {
        faults.removeAll()
    }

    /// Puts a file there as though it had always been, with the folders above it. Traps for a path
    /// that cannot be one.
    public func place(_ path: String, _ bytes: [UInt8], permissions: UInt16 = 0o600) {
        placeFolders(above: path)
        setPresent(path, .file(bytes), permissions)
        makeDurable(path)
    }

    /// Puts an empty folder there as though it had always been.
    public func placeFolder(_ path: String, permissions: UInt16 = 0o700) {
        placeFolders(above: path)
        if present[path]?.isFolder != true { setPresent(path, .folder, permissions) }
        makeDurable(path)
    }

    /// What a process would read; `nil` when there is no file.
    public func contents(of path: String) -> [UInt8]? { present[path]?.bytes }

    /// What is sure to survive a crash; `nil` when no file is.
    public func durableContents(of path: String) -> [UInt8]? { durable[path]?.bytes }

    /// Everything a process could see, sorted.
    public var paths: [String] { present.paths }

    /// Whether a living process holds the lock.
    public func isLocked(_ path: String) -> Bool { locks[path] != nil }

    public var free: ByteCount {
        ByteCount(max(0, capacity.bytes - foreignBytes.bytes - Int64(used)))
    }

    private func placeFolders(above path: String) {
        precondition(DiskPath.isValid(path) && path != DiskPath.root, "'\(path)' is no path")
        for folder in DiskPath.folders(above: path) where present[folder]?.isFolder != true {
            precondition(present[folder] == nil, "'\(folder)' is a file")
            setPresent(folder, .folder, 0o755)
        }
    }

    // MARK: - Changing

    /// Makes something new at `path`, whose folder is there.
    func setPresent(_ path: String, _ content: DiskEntry.Content, _ permissions: UInt16) {
        let folder = DiskPath.folder(of: path)
        guard let above = present[folder], above.isFolder else {
            preconditionFailure("'\(path)' has no folder")
        }
        births += 1
        let entry = DiskEntry(
            content: content,
            permissions: permissions & 0o7777,
            birth: births,
            folder: above.birth
        )
        if let old = present[path] {
            used -= old.size
        } else {
            insertName(of: path, into: folder)
        }
        used += entry.size
        present[path] = entry
        if entry.isFolder { names[path] = [] }
    }

    func appendPresent(_ bytes: ArraySlice<UInt8>, to path: String) {
        guard var entry = present[path], case .file(var content) = entry.content else {
            preconditionFailure("'\(path)' is no file")
        }
        // Emptied first, so that the bytes are not copied.
        present[path] = nil
        entry.content = .folder
        content += bytes
        used += bytes.count
        entry.content = .file(content)
        present[path] = entry
    }

    func setPermissions(_ permissions: UInt16, of path: String) {
        present[path]?.permissions = permissions & 0o7777
    }

    func removePresent(_ path: String) {
        guard let entry = present[path] else { return }
        used -= entry.size
        present[path] = nil
        names[path] = nil
        let folder = DiskPath.folder(of: path)
        let name = DiskPath.name(of: path)
        names[folder]?.removeAll { $0 == name }
    }

    /// What is at `path` will survive, with the folders above it.
    func makeDurable(_ path: String) {
        // What is durable already has durable folders.
        if let entry = present[path], durable[path]?.birth == entry.birth {
            durable[path] = entry
            return
        }
        for folder in DiskPath.folders(above: path)
        where durable[folder]?.birth != present[folder]?.birth {
            durable[folder] = present[folder]
        }
        durable[path] = present[path]
    }

    func names(in folder: String) -> [String]? { names[folder] }

    private func insertName(of path: String, into folder: String) {
        let name = DiskPath.name(of: path)
        guard var list = names.removeValue(forKey: folder) else {
            preconditionFailure("'\(folder)' is no folder")
        }
        var low = 0
        var high = list.count
        while low < high {
            let middle = (low + high) / 2
            if list[middle] < name { low = middle + 1 } else { high = middle }
        }
        list.insert(name, at: low)
        names[folder] = list
    }

    // MARK: - Locks

    func holder(of path: String) -> SimulatedProcess? { locks[path] }

    func lock(_ path: String, for process: SimulatedProcess) {
        locks[path] = process
        process.openFiles += 1
    }

    func unlock(_ path: String, by process: SimulatedProcess) {
        guard locks[path] === process else { return }
        locks[path] = nil
        process.openFiles -= 1
    }

    /// What the process held is free, whatever ended it.
    func release(_ process: SimulatedProcess) {
        device.crash(of: process)
        for path in locks.keys.sorted() where locks[path] === process { locks[path] = nil }
    }

    // MARK: - Crashing

    func crash() {
        device.crash()
        locks.removeAll()
        let before = present
        let sure = durable
        var kept = DiskImage()
        kept[DiskPath.root] = before[DiskPath.root]
        for path in Set(before.paths + sure.paths).sorted() where path != DiskPath.root {
            guard let entry = survivor(before[path], sure[path]) else { continue }
            // What belongs to a folder that is gone is gone with it.
            guard let folder = kept[DiskPath.folder(of: path)], folder.isFolder,
                folder.birth == entry.folder
            else { continue }
            kept[path] = entry
        }
        present = kept
        durable = kept
        used = 0
        names = [DiskPath.root: []]
        for path in kept.paths where path != DiskPath.root {
            guard let entry = kept[path] else { continue }
            used += entry.size
            if entry.isFolder { names[path] = [] }
            insertName(of: path, into: DiskPath.folder(of: path))
        }
    }

    private func survivor(_ seen: DiskEntry?, _ sure: DiskEntry?) -> DiskEntry? {
        switch (seen, sure) {
        case (nil, nil): return nil
        case (nil, let sure?): return device.chooseOne(sure, nil)
        case (let seen?, nil): return device.chooseOne(torn(seen, after: 0), nil)
        case (let seen?, let sure?):
            guard seen.birth == sure.birth else {
                return device.chooseOne(torn(seen, after: 0), sure)
            }
            var entry = torn(seen, after: sure.size)
            if seen.permissions != sure.permissions {
                entry.permissions = device.chooseOne(seen.permissions, sure.permissions)
            }
            return entry
        }
    }

    /// The entry with some of its bytes beyond the first `length`.
    private func torn(_ entry: DiskEntry, after length: Int) -> DiskEntry {
        guard let bytes = entry.bytes, bytes.count > length else { return entry }
        var result = entry
        let kept = length + device.chooseLength(upTo: bytes.count - length)
        result.content = .file(Array(bytes[..<kept]))
        return result
    }
}

/// Operations that fail, by place and time.
public struct DiskFault: Hashable, Sendable {
    /// A file, or a folder with everything in it.
    public var path: String
    public var operations: Operations
    public var reason: FileError.Reason
    public var from: Instant
    /// The first instant at which operations succeed again.
    public var until: Instant

    public enum Operations: String, Hashable, Sendable, CaseIterable {
        case reads
        case writes
        case all
    }

    public init(
        at path: String,
        _ operations: Operations = .all,
        _ reason: FileError.Reason,
        from: Instant = .zero,
        until: Instant = .distantFuture
    ) {
        self.path = path
        self.operations = operations
        self.reason = reason
        self.from = from
        self.until = until
    }
}
