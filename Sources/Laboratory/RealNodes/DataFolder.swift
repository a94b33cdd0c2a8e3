import Crypto
import Foundation
import GRDBSQLite

/// What a node keeps on disk, looked at from outside while no node uses it.
public struct DataFolder: Hashable, Sendable {
    public let path: String

    /// More files than this are not looked at; a node keeps a dozen.
    private static let fileLimit = 10_000

    public init(_ path: String) {
        self.path = path
    }

    /// What is wrong with it, one sentence each; empty when it is sound: no lock is held, no file is
    /// half replaced, keys are readable by their owner alone.
    public func problems() -> [String] {
        var problems = FileLocks.held(below: path).map { "\($0) is still locked" }
        for file in DataFolder.files(below: path) {
            let name = file.split(separator: "/").last ?? ""
            if name.hasPrefix("."), name.hasSuffix(".replacing") {
                problems.append("\(file) was left half replaced")
            }
            if let problem = DataFolder.openKey(file) { problems.append(problem) }
        }
        return problems
    }

    /// What SQLite's integrity check finds in its databases, one sentence each.
    public func databaseProblems() -> [String] {
        DataFolder.files(below: path).filter { DataFolder.isDatabase($0) }.flatMap { file in
            SQLiteFile.problems(of: file).map { "\(file): \($0)" }
        }
    }

    /// Files with keys are shorter than this.
    private static let secretLimit = 1 << 14

    /// The SHA-256 of a file below the folder; `nil` when it cannot be read.
    public func digest(of name: String) -> String? {
        guard let bytes = FileManager.default.contents(atPath: "\(path)/\(name)") else {
            return nil
        }
        return SHA256.hash(data: bytes).map { String(format: "%02x", $0) }.joined()
    }

    /// The digest of the certificate of the node's own authority; `nil` when there is none.
    public var authority: String? { digest(of: DataFolder.authorityFile) }

    private static let authorityFile = "security/authority.pem"

    /// Regular files below a folder, by path, sorted; bounded.
    static func files(below folder: String) -> [String] {
        guard let names = FileManager.default.enumerator(atPath: folder) else { return [] }
        var files: [String] = []
        for case let name as String in names {
            guard files.count < fileLimit else { break }
            var status = stat()
            let path = "\(folder)/\(name)"
            if lstat(path, &status) == 0, status.st_mode & S_IFMT == S_IFREG { files.append(path) }
        }
        return files.sorted()
    }

    private static func start(of path: String, _ count: Int) -> Data {
        guard let file = FileHandle(forReadingAtPath: path) else { return Data() }
        defer { try? file.close() }
        return (try? file.read(upToCount: count)) ?? Data()
    }

    private static func openKey(_ path: String) -> String? {
        let text = String(decoding: start(of: path, secretLimit), as: UTF8.self)
        guard text.contains("PRIVATE KEY") else { return nil }
        var status = stat()
        guard stat(path, &status) == 0, status.st_mode & 0o077 != 0 else { return nil }
        return "\(path) is a key and has permissions \(String(status.st_mode & 0o777, radix: 8))"
    }

    private static func isDatabase(_ path: String) -> Bool {
        start(of: path, 16).elementsEqual("SQLite format 3\0".utf8)
    }
}

/// A database that nobody uses, checked by SQLite itself.
private enum SQLiteFile {
    static func problems(of path: String) -> [String] {
        var handle: OpaquePointer?
        // Not read only: what a crash left in the log belongs to the content.
        let code = sqlite3_open_v2(path, &handle, SQLITE_OPEN_READWRITE, nil)
        defer { sqlite3_close_v2(handle) }
        guard code == SQLITE_OK else { return ["cannot be opened: code \(code)"] }
        var statement: OpaquePointer?
        defer { sqlite3_finalize(statement) }
        guard sqlite3_prepare_v2(handle, "PRAGMA integrity_check", -1, &statement, nil) == SQLITE_OK
        else { return [String(cString: sqlite3_errmsg(handle))] }
        var lines: [String] = []
        var step = sqlite3_step(statement)
        while step == SQLITE_ROW {
            if let text = sqlite3_column_text(statement, 0) { lines.append(String(cString: text)) }
            step = sqlite3_step(statement)
        }
        guard step == SQLITE_DONE else { return [String(cString: sqlite3_errmsg(handle))] }
        return lines == ["ok"] ? [] : lines
    }
}
