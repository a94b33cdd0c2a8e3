import Effects
import Glibc
import Synchronization

extension FileSystem {
    /// Writes beside, syncs, renames, syncs the folder.
    ///
    /// A crash leaves at most one file beside, of a fixed name that the next `replace` of the same
    /// path writes over and that nobody is shown.
    static func replace(
        _ path: String,
        with bytes: [UInt8],
        permissions: UInt16
    ) throws(FileError) {
        // Two tasks must not write beside the same file at once.
        try alone(with: path) { () throws(FileError) in
            try replaceAlone(path, with: bytes, permissions: permissions)
        }
    }

    /// Runs `body` while no other thread of this process runs one for the same path.
    static func alone(
        with path: String,
        _ body: () throws(FileError) -> Void
    ) throws(FileError) {
        let result = ChangedPlaces.place(of: path).mutex.withLock { _ in
            Result { () throws(FileError) -> Void in try body() }
        }
        try result.get()
    }

    private static func replaceAlone(
        _ path: String,
        with bytes: [UInt8],
        permissions: UInt16
    ) throws(FileError) {
        let folder = folder(of: path)
        let name = trimmed(path).split(separator: "/").last.map(String.init) ?? ""
        let beside = "\(folder)/.\(name)\(leftoverSuffix)"
        let file = try named(path) { () throws(FileError) in
            try open(beside, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW, permissions: permissions)
        }
        do throws(FileError) {
            defer { close(file) }
            guard fchmod(file, mode_t(permissions)) == 0 else {
                throw FileError(errno: errno, path)
            }
            try write(bytes, to: file, path)
            guard fsync(file) == 0 else { throw FileError(errno: errno, path) }
        } catch {
            unlink(beside)
            throw error
        }
        guard rename(beside, path) == 0 else {
            let error = FileError(errno: errno, path)
            unlink(beside)
            throw error
        }
        try syncFolder(folder)
    }

    /// Whether an interrupted `replace` left a file of this name.
    static func isLeftover(_ name: String) -> Bool {
        name.hasPrefix(".") && name.hasSuffix(leftoverSuffix)
    }

    private static let leftoverSuffix = ".replacing"

    /// Errors name the file that was asked for, not the one beside.
    private static func named<Value>(
        _ path: String,
        _ body: () throws(FileError) -> Value
    ) throws(FileError) -> Value {
        do {
            return try body()
        } catch {
            throw FileError(error.reason, path)
        }
    }
}

/// Locks for paths that are being changed; paths that share one wait for each other.
private enum ChangedPlaces {
    final class Place: Sendable {
        let mutex = Mutex<Void>(())
    }

    private static let places = (0..<16).map { _ in Place() }

    static func place(of path: String) -> Place {
        let sum = path.utf8.reduce(UInt32(2_166_136_261)) { ($0 ^ UInt32($1)) &* 16_777_619 }
        return places[Int(sum % 16)]
    }
}
