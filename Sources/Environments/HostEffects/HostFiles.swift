public import Effects
import Units

/// Files of the host, on threads that may block.
public struct HostFiles: FileAccess {
    private let threads: BlockingThreads

    init(threads: BlockingThreads) {
        self.threads = threads
    }

    public func read(_ path: String, limit: Int) async throws(FileError) -> [UInt8] {
        try await threads.run { () throws(FileError) in try FileSystem.read(path, limit: limit) }
    }

    public func attributes(of path: String) async throws(FileError) -> FileAttributes? {
        try await threads.run { () throws(FileError) in try FileSystem.attributes(of: path) }
    }

    /// What an interrupted `replace` left is not listed.
    public func names(in folder: String) async throws(FileError) -> [String] {
        try await threads.run { () throws(FileError) in
            try FileSystem.names(in: folder).filter { !FileSystem.isLeftover($0) }
        }
    }

    public func createFolder(_ path: String, permissions: UInt16) async throws(FileError) {
        try await threads.run { () throws(FileError) in
            try FileSystem.createFolder(path, permissions: permissions)
        }
    }

    public func replace(
        _ path: String,
        with bytes: [UInt8],
        permissions: UInt16
    ) async throws(FileError) {
        try await threads.run { () throws(FileError) in
            try FileSystem.replace(path, with: bytes, permissions: permissions)
        }
    }

    public func append(
        _ bytes: [UInt8],
        to path: String,
        synced: Bool
    ) async throws(FileError) {
        try await threads.run { () throws(FileError) in
            try FileSystem.append(bytes, to: path, synced: synced)
        }
    }

    public func setPermissions(
        _ permissions: UInt16,
        of path: String
    ) async throws(FileError) {
        try await threads.run { () throws(FileError) in
            try FileSystem.setPermissions(permissions, of: path)
        }
    }

    public func remove(_ path: String) async throws(FileError) {
        try await threads.run { () throws(FileError) in try FileSystem.remove(path) }
    }

    public func lock(_ path: String) async throws(FileError) -> any FileLock {
        try await threads.run { () throws(FileError) in try HostFileLock(path) }
    }

    public func capacity(at path: String) async throws(FileError) -> FileCapacity {
        try await threads.run { () throws(FileError) in try FileSystem.capacity(at: path) }
    }
}
