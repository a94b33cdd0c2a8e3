import Effects
import SimulationKernel
import Units

/// The disk as one process uses it.
///
/// Reading, writing and syncing take the time of the hardware profile; everything else takes none.
/// Like system calls, operations do not hear of a task's cancellation, only of the process's end.
struct SimulatedFiles: FileAccess {
    private let process: SimulatedProcess

    init(_ process: SimulatedProcess) {
        self.process = process
    }

    private var disk: SimulatedDisk { process.host.disk }

    // MARK: - Looking

    func read(_ path: String, limit: Int) async throws(FileError) -> [UInt8] {
        try check(path, .reads)
        guard let entry = disk.present[path] else { throw FileError(.notFound, path) }
        guard let bytes = entry.bytes else { throw FileError(.notAFile, path) }
        guard entry.permissions & 0o400 != 0 else { throw FileError(.denied, path) }
        guard bytes.count <= limit else { throw FileError(.tooLarge(limit: limit), path) }
        guard await disk.device.read(bytes.count, for: process) else {
            throw FileError(.crashed, path)
        }
        return bytes
    }

    func attributes(of path: String) async throws(FileError) -> FileAttributes? {
        try check(path, .reads)
        return disk.present[path].map { entry in
            FileAttributes(
                isFolder: entry.isFolder,
                size: ByteCount(entry.size),
                permissions: entry.permissions
            )
        }
    }

    func names(in folder: String) async throws(FileError) -> [String] {
        try check(folder, .reads)
        guard let entry = disk.present[folder] else { throw FileError(.notFound, folder) }
        guard let names = disk.names(in: folder) else { throw FileError(.notAFile, folder) }
        guard entry.permissions & 0o400 != 0 else { throw FileError(.denied, folder) }
        return names
    }

    func capacity(at path: String) async throws(FileError) -> FileCapacity {
        try check(path, .reads)
        return FileCapacity(total: disk.capacity, available: disk.free)
    }

    // MARK: - Changing

    func createFolder(_ path: String, permissions: UInt16) async throws(FileError) {
        try check(path, .writes)
        guard path != DiskPath.root else { return }
        for folder in DiskPath.folders(above: path) + [path] {
            if let entry = disk.present[folder] {
                guard entry.isFolder else { throw FileError(.notAFile, folder) }
                continue
            }
            try checkFolder(of: folder)
            try touch(folder) { disk.setPresent(folder, .folder, permissions) }
        }
    }

    func setPermissions(_ permissions: UInt16, of path: String) async throws(FileError) {
        try check(path, .writes)
        guard disk.present[path] != nil else { throw FileError(.notFound, path) }
        try touch(path) { disk.setPermissions(permissions, of: path) }
    }

    func remove(_ path: String) async throws(FileError) {
        try check(path, .writes)
        guard disk.present[path] != nil else { return }
        guard path != DiskPath.root else { throw FileError(.denied, path) }
        if let names = disk.names(in: path), !names.isEmpty {
            throw FileError(.failed("the folder is not empty"), path)
        }
        try checkFolder(of: path)
        try touch(path) { disk.removePresent(path) }
    }

    func replace(
        _ path: String,
        with bytes: [UInt8],
        permissions: UInt16
    ) async throws(FileError) {
        try check(path, .writes)
        try checkReplacing(path, by: bytes.count)
        let result = WriteResult()
        let lives = await disk.device.write(bytes.count, for: process) { extent in
            guard case .whole = extent else { return }
            // Others may have changed the folder while the bytes were written.
            do throws(FileError) {
                try checkReplacing(path, by: bytes.count)
                disk.setPresent(path, .file(bytes), permissions)
                disk.makeDurable(path)
            } catch {
                result.error = error
            }
        }
        guard lives else { throw FileError(.crashed, path) }
        if let error = result.error { throw error }
    }

    func append(_ bytes: [UInt8], to path: String, synced: Bool) async throws(FileError) {
        try check(path, .writes)
        try checkAppending(to: path, bytes.count)
        guard synced else {
            let extent = disk.device.touch(for: process) { extent in
                appendPart(bytes, to: path, extent)
            }
            guard extent else { throw FileError(.crashed, path) }
            return
        }
        let result = WriteResult()
        let lives = await disk.device.write(bytes.count, for: process) { extent in
            do throws(FileError) {
                try checkAppending(to: path, bytes.count)
                appendPart(bytes, to: path, extent)
                if case .whole = extent { disk.makeDurable(path) }
            } catch {
                result.error = error
            }
        }
        guard lives else { throw FileError(.crashed, path) }
        if let error = result.error { throw error }
    }

    // MARK: - Locking

    func lock(_ path: String) async throws(FileError) -> any FileLock {
        try check(path, .writes)
        try checkAppending(to: path, 0)
        if let holder = disk.holder(of: path) {
            throw FileError(.locked(holder: holder.processID), path)
        }
        if disk.present[path] == nil {
            try touch(path) { disk.setPresent(path, .file([]), 0o600) }
        }
        disk.lock(path, for: process)
        return SimulatedFileLock(path: path, process: process)
    }

    // MARK: - Parts

    private func appendPart(_ bytes: [UInt8], to path: String, _ extent: WriteExtent) {
        let length: Int
        switch extent {
        case .none: return
        case .part(let share): length = Int(Double(bytes.count) * share)
        case .whole: length = bytes.count
        }
        if disk.present[path] == nil { disk.setPresent(path, .file([]), 0o600) }
        disk.appendPresent(bytes[..<length], to: path)
    }

    private func touch(_ path: String, _ change: () -> Void) throws(FileError) {
        let lives = disk.device.touch(for: process) { extent in
            if case .whole = extent { change() }
        }
        guard lives else { throw FileError(.crashed, path) }
    }

    // MARK: - Checks

    private func check(_ path: String, _ use: DiskFault.Operations) throws(FileError) {
        guard process.isAlive else { throw FileError(.crashed, path) }
        guard DiskPath.isValid(path) else {
            throw FileError(.failed("is not an absolute path without dots"), path)
        }
        if let reason = disk.fault(at: path, use) { throw FileError(reason, path) }
    }

    /// Whether names in the folder above may be made and removed.
    private func checkFolder(of path: String) throws(FileError) {
        guard path != DiskPath.root else { throw FileError(.notAFile, path) }
        guard let folder = disk.present[DiskPath.folder(of: path)] else {
            throw FileError(.notFound, path)
        }
        guard folder.isFolder else { throw FileError(.notAFile, path) }
        guard folder.permissions & 0o300 == 0o300 else { throw FileError(.denied, path) }
    }

    private func checkReplacing(_ path: String, by size: Int) throws(FileError) {
        try checkFolder(of: path)
        if let entry = disk.present[path], entry.isFolder { throw FileError(.notAFile, path) }
        // The old content goes only when the new one is there.
        guard Int64(size) <= disk.free.bytes else { throw FileError(.full, path) }
    }

    private func checkAppending(to path: String, _ size: Int) throws(FileError) {
        if let entry = disk.present[path] {
            guard !entry.isFolder else { throw FileError(.notAFile, path) }
            guard entry.permissions & 0o200 != 0 else { throw FileError(.denied, path) }
        } else {
            try checkFolder(of: path)
        }
        guard Int64(size) <= disk.free.bytes else { throw FileError(.full, path) }
    }
}

extension SimulatedDisk {
    /// Why an operation there fails now, if it does.
    func fault(at path: String, _ use: DiskFault.Operations) -> FileError.Reason? {
        guard !faults.isEmpty else { return nil }
        let now = executor.now
        return faults.first { fault in
            fault.from <= now && now < fault.until && DiskPath.contains(fault.path, path)
                && (fault.operations == .all || fault.operations == use)
        }?.reason
    }
}

/// A lock held by one process on a simulated host.
private struct SimulatedFileLock: FileLock {
    let path: String
    let process: SimulatedProcess

    func release() async {
        process.host.disk.unlock(path, by: process)
    }
}

/// What went wrong when a write took effect.
private final class WriteResult {
    var error: FileError?
}
