import Effects
import Glibc

/// The process that holds the lock of a node's folder, as the kernel tells it (proc_locks(5)), so that
/// asking never takes the lock away from anybody.
enum LockHolder {
    /// `nil` when nobody holds it.
    static func process(of lockFile: String, _ files: any FileAccess) async -> Int32? {
        var status = stat()
        guard stat(lockFile, &status) == 0,
            let bytes = try? await files.read("/proc/locks", limit: 1 << 24)
        else { return nil }
        for line in String(decoding: bytes, as: UTF8.self).split(separator: "\n") {
            let words = line.split(separator: " ")
            // For example `1: FLOCK ADVISORY WRITE 4711 fe:01:1234 0 EOF`; waiters have an arrow.
            guard words.count >= 6, words[1] == "FLOCK", let holder = Int32(words[4]) else {
                continue
            }
            // Devices are written in other ways by some file systems; inodes suffice here, since the
            // program of the process is looked at, too.
            guard
                words[5].split(separator: ":").last.flatMap({ UInt64($0) }) == UInt64(status.st_ino)
            else { continue }
            return holder
        }
        return nil
    }

    /// Whether a process runs this program.
    static func isNode(_ process: Int32) -> Bool {
        var target = [CChar](repeating: 0, count: Int(PATH_MAX))
        let count = readlink("/proc/\(process)/exe", &target, target.count - 1)
        guard count > 0 else { return false }
        let path = String(decoding: target[..<count].map(UInt8.init(bitPattern:)), as: UTF8.self)
        // An upgrade replaces the file of a process that still runs.
        let file = path.hasSuffix(" (deleted)") ? path.dropLast(10) : path[...]
        return file.split(separator: "/").last == "novacron-node"
    }
}
