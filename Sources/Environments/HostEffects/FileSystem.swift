import Effects
import Glibc
import Units

/// The system's file calls, with their errors as values. They block.
enum FileSystem {
    static func read(_ path: String, limit: Int) throws(FileError) -> [UInt8] {
        let file = try openToRead(path)
        defer { close(file) }
        var status = stat()
        guard fstat(file, &status) == 0 else { throw FileError(errno: errno, path) }
        guard status.st_mode & S_IFMT == S_IFREG else { throw FileError(.notAFile, path) }
        guard status.st_size <= limit else { throw FileError(.tooLarge(limit: limit), path) }
        return try readAll(file, expecting: Int(status.st_size), limit: limit, path)
    }

    /// A file of /proc or /sys, which does not tell its size.
    static func readGrowing(_ path: String, limit: Int) throws(FileError) -> [UInt8] {
        let file = try openToRead(path)
        defer { close(file) }
        return try readAll(file, expecting: 4096, limit: limit, path)
    }

    /// Without waiting for the other end, should it be a pipe.
    private static func openToRead(_ path: String) throws(FileError) -> Int32 {
        try open(path, O_RDONLY | O_NONBLOCK)
    }

    private static func readAll(
        _ file: Int32,
        expecting size: Int,
        limit: Int,
        _ path: String
    ) throws(FileError) -> [UInt8] {
        var bytes: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: min(max(size + 1, 1024), 1 << 20))
        while true {
            let count = Glibc.read(file, &buffer, buffer.count)
            if count == 0 { return bytes }
            if count < 0 {
                guard errno == EINTR else { throw FileError(errno: errno, path) }
                continue
            }
            bytes += buffer[..<count]
            guard bytes.count <= limit else { throw FileError(.tooLarge(limit: limit), path) }
        }
    }

    static func attributes(of path: String) throws(FileError) -> FileAttributes? {
        var status = stat()
        guard stat(path, &status) == 0 else {
            if errno == ENOENT || errno == ENOTDIR { return nil }
            throw FileError(errno: errno, path)
        }
        return FileAttributes(
            isFolder: status.st_mode & S_IFMT == S_IFDIR,
            size: ByteCount(Int64(status.st_size)),
            permissions: UInt16(status.st_mode & 0o7777)
        )
    }

    /// Sorted, without `.` and `..`.
    static func names(in folder: String) throws(FileError) -> [String] {
        guard let stream = opendir(folder) else { throw FileError(errno: errno, folder) }
        defer { closedir(stream) }
        var names: [String] = []
        while true {
            errno = 0
            guard let entry = readdir(stream) else {
                guard errno == 0 else { throw FileError(errno: errno, folder) }
                break
            }
            let name = withUnsafePointer(to: &entry.pointee.d_name) { pointer in
                pointer.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
            }
            if name != ".", name != ".." { names.append(name) }
        }
        return names.sorted()
    }

    static func createFolder(_ path: String, permissions: UInt16) throws(FileError) {
        if let found = try attributes(of: path) {
            guard found.isFolder else { throw FileError(.notAFile, path) }
            return
        }
        let parent = folder(of: path)
        if parent != path { try createFolder(parent, permissions: permissions) }
        guard mkdir(path, mode_t(permissions)) == 0 else {
            // Another task may have been quicker.
            if errno == EEXIST, try attributes(of: path)?.isFolder == true { return }
            throw FileError(errno: errno, path)
        }
        // The process's mask does not count: the permissions are those that were asked for.
        try setPermissions(permissions, of: path)
        try syncFolder(parent)
    }

    static func append(_ bytes: [UInt8], to path: String, synced: Bool) throws(FileError) {
        var isNew = false
        var file: Int32
        do {
            file = try open(path, O_WRONLY | O_APPEND)
        } catch  where error.reason == .notFound {
            isNew = true
            file = try open(path, O_WRONLY | O_APPEND | O_CREAT, permissions: 0o600)
        }
        defer { close(file) }
        try alone(with: path) { () throws(FileError) in
            let end = lseek(file, 0, SEEK_END)
            do throws(FileError) {
                try write(bytes, to: file, path)
            } catch {
                // A part of a record would spoil those that follow it; nobody has added any meanwhile.
                if end >= 0 { ftruncate(file, end) }
                throw error
            }
        }
        guard synced else { return }
        // The file's length is synced with the data; its times need not be.
        guard fdatasync(file) == 0 else { throw FileError(errno: errno, path) }
        if isNew { try syncFolder(folder(of: path)) }
    }

    static func setPermissions(_ permissions: UInt16, of path: String) throws(FileError) {
        guard chmod(path, mode_t(permissions)) == 0 else { throw FileError(errno: errno, path) }
    }

    static func remove(_ path: String) throws(FileError) {
        if Glibc.remove(path) == 0 || errno == ENOENT { return }
        // A folder in which only an interrupted `replace` left something is empty for everybody else.
        if errno == ENOTEMPTY || errno == EEXIST {
            for name in try names(in: path) where isLeftover(name) { unlink("\(path)/\(name)") }
            if Glibc.remove(path) == 0 { return }
        }
        throw FileError(errno: errno, path)
    }

    /// `path`, or the nearest folder above it that exists.
    static func capacity(at path: String) throws(FileError) -> FileCapacity {
        var place = path
        while try attributes(of: place) == nil, folder(of: place) != place {
            place = folder(of: place)
        }
        var status = statvfs()
        guard statvfs(place, &status) == 0 else { throw FileError(errno: errno, place) }
        let block = UInt64(status.f_frsize)
        return FileCapacity(
            total: ByteCount(Int64(clamping: UInt64(status.f_blocks) &* block)),
            available: ByteCount(Int64(clamping: UInt64(status.f_bavail) &* block))
        )
    }

    // MARK: Parts of the above

    static func open(
        _ path: String,
        _ flags: Int32,
        permissions: UInt16 = 0
    ) throws(FileError) -> Int32 {
        while true {
            let file = Glibc.open(path, flags | O_CLOEXEC, mode_t(permissions))
            if file >= 0 { return file }
            if errno != EINTR { throw FileError(errno: errno, path) }
        }
    }

    static func write(_ bytes: [UInt8], to file: Int32, _ path: String) throws(FileError) {
        let code = bytes.withUnsafeBytes { bytes -> Int32? in
            var sent = 0
            while sent < bytes.count {
                let count = Glibc.write(file, bytes.baseAddress! + sent, bytes.count - sent)
                if count >= 0 { sent += count } else if errno != EINTR { return errno }
            }
            return nil
        }
        if let code { throw FileError(errno: code, path) }
    }

    static func truncate(_ file: Int32, to size: Int, _ path: String) throws(FileError) {
        guard ftruncate(file, off_t(size)) == 0 else { throw FileError(errno: errno, path) }
    }

    static func syncFolder(_ folder: String) throws(FileError) {
        let file = try open(folder, O_RDONLY | O_DIRECTORY)
        defer { close(file) }
        guard fsync(file) == 0 else { throw FileError(errno: errno, folder) }
    }

    /// The folder that holds `path`; `/` holds itself.
    static func folder(of path: String) -> String {
        let path = trimmed(path)
        guard let slash = path.lastIndex(of: "/") else { return "." }
        return slash == path.startIndex ? "/" : String(path[..<slash])
    }

    static func trimmed(_ path: String) -> Substring {
        var path = path[...]
        while path.count > 1, path.last == "/" { path.removeLast() }
        return path
    }
}

extension FileError {
    /// What the system's error number means for the file at `path`.
    init(errno code: Int32, _ path: String) {
        let reason: Reason =
            switch code {
            case ENOENT: .notFound
            case EEXIST: .exists
            case EACCES, EPERM, EROFS: .denied
            case ENOSPC, EDQUOT: .full
            case EISDIR, ENOTDIR, ELOOP, ENXIO: .notAFile
            default: .failed(String(cString: strerror(code)))
            }
        self.init(reason, path)
    }
}
