public import Units

/// Files of one host. Paths are absolute, with `/` between their parts.
///
/// What `replace` and synced appends have answered survives a crash; everything else may be lost.
public protocol FileAccess: Sendable {
    /// The whole content. Files longer than `limit` bytes are refused.
    func read(_ path: String, limit: Int) async throws(FileError) -> [UInt8]
    /// `nil` when there is nothing at `path`.
    func attributes(of path: String) async throws(FileError) -> FileAttributes?
    /// The names in a folder, sorted.
    func names(in folder: String) async throws(FileError) -> [String]
    /// Creates a folder and those above it; one that exists is kept, with its permissions.
    func createFolder(_ path: String, permissions: UInt16) async throws(FileError)
    /// Gives `path` this content in one step: after a crash it has the old content or the new one.
    /// Durable once it returns (write beside, fsync, rename, fsync the folder).
    func replace(_ path: String, with bytes: [UInt8], permissions: UInt16) async throws(FileError)
    /// Appends, creating the file with permissions 0600. Durable once it returns when `synced`; a
    /// crash before may leave a part of the bytes.
    func append(_ bytes: [UInt8], to path: String, synced: Bool) async throws(FileError)
    func setPermissions(_ permissions: UInt16, of path: String) async throws(FileError)
    /// Removes a file or an empty folder; nothing there is no error.
    func remove(_ path: String) async throws(FileError)
    /// Locks `path` for this process, creating it. The lock ends with `release` or with the process,
    /// however it ends; `FileError.Reason.locked` when another process holds it.
    func lock(_ path: String) async throws(FileError) -> any FileLock
    /// Of the file system that holds `path`.
    func capacity(at path: String) async throws(FileError) -> FileCapacity
}

/// A held lock. It must be released by whoever took it; dropping the value does not.
public protocol FileLock: Sendable {
    func release() async
}

public struct FileAttributes: Hashable, Sendable {
    public var isFolder: Bool
    public var size: ByteCount
    /// The low twelve mode bits.
    public var permissions: UInt16

    public init(isFolder: Bool, size: ByteCount, permissions: UInt16) {
        self.isFolder = isFolder
        self.size = size
        self.permissions = permissions
    }
}

public struct FileCapacity: Hashable, Sendable {
    public var total: ByteCount
    /// What this process may still write.
    public var available: ByteCount

    public init(total: ByteCount, available: ByteCount) {
        self.total = total
        self.available = available
    }
}

/// Why something could not be done with a file.
public struct FileError: Error, Hashable, Sendable, CustomStringConvertible {
    public var reason: Reason
    public var path: String

    public enum Reason: Hashable, Sendable {
        case notFound
        case exists
        case denied
        case full
        case notAFile
        case tooLarge(limit: Int)
        /// `holder` is the process that holds the lock, if it said so.
        case locked(holder: Int32?)
        /// The host crashed while this was going on.
        case crashed
        /// Everything else, in the system's words.
        case failed(String)
    }

    public init(_ reason: Reason, _ path: String) {
        self.reason = reason
        self.path = path
    }

    public var description: String {
        switch reason {
        case .notFound: "\(path): there is no such file"
        case .exists: "\(path): exists already"
        case .denied: "\(path): permission denied"
        case .full: "\(path): the disk is full"
        case .notAFile: "\(path): is not a file of that kind"
        case .tooLarge(let limit): "\(path): is longer than \(limit) bytes"
        case .locked(let holder):
            "\(path): is locked by \(holder.map { "process \($0)" } ?? "another process")"
        case .crashed: "\(path): the host crashed"
        case .failed(let text): "\(path): \(text)"
        }
    }
}
