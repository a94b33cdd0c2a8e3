public import Effects
import Glibc
import Synchronization

/// A lock by `flock`, with the holder's process number in the file.
///
/// The system takes the lock back when the process ends, however it ends. The number in the file only
/// says who to ask; whether somebody holds the lock is known by trying. The file stays.
public final class HostFileLock: FileLock {
    private let descriptor: Mutex<Int32?>

    /// Takes the lock or throws `FileError.Reason.locked` at once.
    public init(_ path: String) throws(FileError) {
        let file = try FileSystem.open(path, O_RDWR | O_CREAT, permissions: 0o600)
        while flock(file, LOCK_EX | LOCK_NB) != 0 {
            let code = errno
            if code == EINTR { continue }
            let holder = HostFileLock.holder(file)
            close(file)
            guard code == EWOULDBLOCK else { throw FileError(errno: code, path) }
            throw FileError(.locked(holder: holder), path)
        }
        do {
            try FileSystem.truncate(file, to: 0, path)
            try FileSystem.write(Array("\(getpid())\n".utf8), to: file, path)
        } catch {
            close(file)
            throw error
        }
        descriptor = Mutex(file)
    }

    public func release() async {
        descriptor.withLock { descriptor in
            guard let file = descriptor else { return }
            descriptor = nil
            // Nobody shall take the number for that of a holder.
            ftruncate(file, 0)
            close(file)
        }
    }

    /// The number in the file; `nil` when there is none, for example because the holder has only just
    /// taken the lock.
    private static func holder(_ file: Int32) -> Int32? {
        var bytes = [UInt8](repeating: 0, count: 16)
        let count = pread(file, &bytes, bytes.count, 0)
        guard count > 0 else { return nil }
        return Int32(String(decoding: bytes[..<count].prefix { $0 != 0x0A }, as: UTF8.self))
    }
}
