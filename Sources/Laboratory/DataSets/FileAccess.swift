import CZstd
import Glibc
import Machines

/// Whole files in and out, with errors that name the file.
enum FileAccess {
    /// Opens a regular file for reading.
    static func open(_ path: String) throws(DataSetError) -> Int32 {
        let descriptor = Glibc.open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { throw .unreadable(path: path, reason: lastError()) }
        var status = stat()
        guard fstat(descriptor, &status) == 0, status.st_mode & S_IFMT == S_IFREG else {
            close(descriptor)
            throw .unreadable(path: path, reason: "it is not a regular file")
        }
        return descriptor
    }

    static func size(_ path: String) throws(DataSetError) -> Int {
        var status = stat()
        guard stat(path, &status) == 0 else {
            throw .unreadable(path: path, reason: lastError())
        }
        return Int(status.st_size)
    }

    static func exists(_ path: String) -> Bool {
        access(path, F_OK) == 0
    }

    /// At most `limit` bytes from the start of a file.
    static func read(_ path: String, limit: Int) throws(DataSetError) -> [UInt8] {
        let size = min(try size(path), limit)
        var reader = ByteReader(descriptor: try open(path), .none)
        var failure: ByteReader.Failure?
        let bytes = [UInt8](unsafeUninitializedCapacity: size) { space, used in
            do throws(ByteReader.Failure) {
                used = try reader.fill(UnsafeMutableRawBufferPointer(space))
            } catch {
                failure = error
            }
        }
        if let failure { throw .unreadable(path: path, reason: "\(failure)") }
        return bytes
    }

    /// Writes a file so that under its name there is the old content or the new, never a part: a
    /// neighbour is written, synced and renamed, and removed when anything fails.
    static func writeAtomically(_ bytes: [UInt8], to path: String) throws(DataSetError) {
        let partial = "\(path).\(getpid()).partial"
        unlink(partial)
        let descriptor = Glibc.open(partial, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o644)
        guard descriptor >= 0 else { throw .cannotWrite(path: path, reason: lastError()) }
        var isWritten = writeAll(bytes, to: descriptor) && fsync(descriptor) == 0
        var reason = isWritten ? "" : lastError()
        close(descriptor)
        if isWritten, rename(partial, path) != 0 {
            isWritten = false
            reason = lastError()
        }
        if !isWritten {
            unlink(partial)
            throw .cannotWrite(path: path, reason: reason)
        }
    }

    /// Makes a folder and its missing parents.
    static func makeFolder(_ path: String) throws(DataSetError) {
        var prefix = path.hasPrefix("/") ? "/" : ""
        for part in path.split(separator: "/") {
            prefix += part
            if mkdir(prefix, 0o755) != 0, errno != EEXIST {
                throw .cannotWrite(path: prefix, reason: lastError())
            }
            prefix += "/"
        }
    }

    /// The names in a folder, sorted; none when it does not exist.
    static func names(in folder: String) -> [String] {
        guard let stream = opendir(folder) else { return [] }
        defer { closedir(stream) }
        var names: [String] = []
        while let entry = readdir(stream) {
            let name = withUnsafePointer(to: &entry.pointee.d_name) {
                $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
            }
            names.append(name)
        }
        return names.sorted()
    }

    static func lastError() -> String {
        String(cString: strerror(errno))
    }

    private static func writeAll(_ bytes: [UInt8], to descriptor: Int32) -> Bool {
        bytes.withUnsafeBytes { buffer in
            var offset = 0
            while offset < buffer.count {
                let count = write(
                    descriptor,
                    buffer.baseAddress! + offset,
                    min(buffer.count - offset, 1 << 26)
                )
                if count < 0, errno == EINTR { continue }
                if count < 0 { return false }
                offset += count
            }
            return true
        }
    }
}
