/// What a file system holds, by path.
struct DiskImage {
    private(set) var entries: [String: DiskEntry] = [:]

    subscript(path: String) -> DiskEntry? {
        get { entries[path] }
        set { entries[path] = newValue }
    }

    /// Sorted, so that folders come before what is in them.
    var paths: [String] { entries.keys.sorted() }
}

/// A file or a folder.
struct DiskEntry {
    var content: Content
    /// The low twelve mode bits.
    var permissions: UInt16
    /// Numbers what was made at a path: two images that show the same birth show one file, of which
    /// the durable bytes are the beginning of the others, or one folder.
    var birth: UInt64
    /// The birth of the folder it is in.
    var folder: UInt64

    enum Content {
        case folder
        case file([UInt8])
    }

    var isFolder: Bool { if case .folder = content { true } else { false } }
    var bytes: [UInt8]? { if case .file(let bytes) = content { bytes } else { nil } }
    var size: Int { bytes?.count ?? 0 }
}

/// Takes paths apart.
enum DiskPath {
    static let root = "/"

    /// Absolute, with one `/` between parts that are neither empty nor dots.
    static func isValid(_ path: String) -> Bool {
        if path == root { return true }
        guard path.utf8.first == UInt8(ascii: "/"), path.utf8.count <= 4096 else { return false }
        var length = 0
        var dots = 0
        for byte in path.utf8.dropFirst() {
            if byte == UInt8(ascii: "/") {
                guard isName(length, dots) else { return false }
                length = 0
                dots = 0
            } else {
                guard byte != 0 else { return false }
                length += 1
                if byte == UInt8(ascii: ".") { dots += 1 }
            }
        }
        return isName(length, dots)
    }

    /// Neither empty nor `.` nor `..` nor longer than usual file systems allow.
    private static func isName(_ length: Int, _ dots: Int) -> Bool {
        length > 0 && length <= 255 && !(length <= 2 && dots == length)
    }

    /// Of a valid path that is not the root.
    static func folder(of path: String) -> String {
        guard let slash = path.utf8.lastIndex(of: UInt8(ascii: "/")), slash != path.startIndex
        else { return root }
        return String(path[..<slash])
    }

    static func name(of path: String) -> String {
        guard let slash = path.utf8.lastIndex(of: UInt8(ascii: "/")) else { return path }
        return String(path[path.utf8.index(after: slash)...])
    }

    /// The folders above, from the highest; without the root.
    static func folders(above path: String) -> [String] {
        var result: [String] = []
        var folder = self.folder(of: path)
        while folder != root {
            result.append(folder)
            folder = self.folder(of: folder)
        }
        return result.reversed()
    }

    /// Whether `path` is `prefix` or below it.
    static func contains(_ prefix: String, _ path: String) -> Bool {
        prefix == root || path == prefix || path.hasPrefix(prefix + "/")
    }
}
