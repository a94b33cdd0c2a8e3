/// Why the archive could not be opened, written or read. Whatever the case, the file is as it was
/// before: a failed write leaves no part of a run behind.
public enum StoreError: Error, Hashable, Sendable {
    /// The file exists and is not an SQLite database.
    case notSQLite(path: String)
    /// The file is an SQLite database of another application.
    case foreign(path: String, applicationID: Int32)
    /// A newer laboratory wrote the file.
    case newer(path: String, version: Int, supported: Int)
    /// SQLite found the file damaged.
    case corrupted(path: String, detail: String)
    /// The disk, a quota or the database's page limit is exhausted.
    case full(path: String)
    /// The file or its folder cannot be written.
    case readOnly(path: String)
    /// Another process kept the file locked for longer than ``ResultsArchive/busySeconds``.
    case locked(path: String)
    /// The file or its folder cannot be opened or made.
    case cannotOpen(path: String, detail: String)
    /// The plan already has a run of this variant and seed.
    case duplicate(variant: String, seed: UInt64)
    /// The archive holds no plan of this identity.
    case unknownPlan(identity: String)
    /// The record contradicts its plan or a constraint of the schema.
    case rejected(detail: String)
    /// The SQL text of a query is wrong, or would change something.
    case query(detail: String)

    /// The exit code of a process that ends because of any of these.
    public static let exitCode = 74
}

extension StoreError: CustomStringConvertible {
    /// A full sentence without the final full stop.
    public var description: String {
        switch self {
        case .notSQLite(let path):
            "\(path) is not an SQLite database; it was left untouched"
        case .foreign(let path, let id):
            "\(path) is the database of another application (application_id \(id), expected "
                + "\(ResultsArchive.applicationID)); it was left untouched"
        case .newer(let path, let version, let supported):
            "\(path) has schema version \(version) and this build knows versions up to "
                + "\(supported); it was left untouched"
        case .corrupted(let path, let detail):
            "\(path) is damaged: \(detail)"
        case .full(let path):
            "\(path) cannot grow: the disk or its quota is full; the runs recorded before are kept"
        case .readOnly(let path):
            "\(path) cannot be written: the file or its folder is read-only"
        case .locked(let path):
            "\(path) is locked by another process"
        case .cannotOpen(let path, let detail):
            "\(path) cannot be opened: \(detail)"
        case .duplicate(let variant, let seed):
            "variant \(variant) with seed \(seed) is already recorded for this plan"
        case .unknownPlan(let identity):
            "the archive holds no plan \(identity)"
        case .rejected(let detail):
            "the record was rejected: \(detail)"
        case .query(let detail):
            "the query failed: \(detail)"
        }
    }
}
