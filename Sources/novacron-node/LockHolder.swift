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
        // Some file systems show the kernel's list another device than `stat`; there the number in the
        // file must be the holder's, since files of two file systems can have one inode.
        let told = try? await files.read(lockFile, limit: 64)
        let writer = told.flatMap { Int32(String(decoding: $0.prefix { $0 != 10 }, as: UTF8.self)) }
        let holders = String(decoding: bytes, as: UTF8.self).split(separator: "\n")
            .compactMap { KernelLock($0) }
            .filter { lock in
                lock.inode == UInt64(status.st_ino)
                    && (lock.device == status.st_dev || lock.holder == writer)
            }
            .map(\.holder)
        return holders.first(where: isNode) ?? holders.first
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

/// A held lock as the kernel lists it, for example `1: FLOCK ADVISORY WRITE 4711 fe:01:1234 0 EOF`.
private struct KernelLock {
    var holder: Int32
    var device: dev_t
    var inode: UInt64

    /// `nil` for locks of other kinds, and for those who wait: they have an arrow in the second place.
    init?(_ line: Substring) {
        let words = line.split(separator: " ")
        guard words.count >= 6, words[1] == "FLOCK", let holder = Int32(words[4]) else {
            return nil
        }
        let place = words[5].split(separator: ":")
        guard place.count == 3, let major = UInt64(place[0], radix: 16),
            let minor = UInt64(place[1], radix: 16), let inode = UInt64(place[2])
        else { return nil }
        self.holder = holder
        // As makedev(3) of glibc puts them together.
        let low = (major & 0xFFF) << 8 | (minor & 0xFF)
        let high = (major >> 12) << 44 | (minor >> 8) << 20
        device = dev_t(high | low)
        self.inode = inode
    }
}
