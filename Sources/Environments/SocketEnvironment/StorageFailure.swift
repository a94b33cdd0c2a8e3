import Glibc
public import RecordLog

/// Why the durable records of a node on sockets cannot be read or written. The node ends with it.
public enum StorageFailure: Error, Hashable, Sendable {
    /// There is no room on the device, or the user's share of it is used up.
    case full(path: String)
    /// Any other failure of the operating system; `code` is its `errno`.
    case system(operation: String, path: String, code: Int32)
    /// Recovery does not accept what the files hold.
    case refused(path: String, RecoveryFailure)
    /// The records are whole, but one, counted from the oldest, means nothing to the machine.
    case undecodable(record: Int)
    /// A file is where the folder should be: a journal from before the record log's format.
    case earlierFormat(path: String)
    case tooLarge(bytes: Int, limit: Int)
    /// Writing has failed before; what is in the file since then is unknown.
    case ended(path: String)

    init(_ code: Int32, _ operation: String, _ path: String) {
        self =
            code == ENOSPC || code == EDQUOT
            ? .full(path: path) : .system(operation: operation, path: path, code: code)
    }
}

extension StorageFailure: CustomStringConvertible {
    public var description: String {
        switch self {
        case .full(let path):
            "the disk is full: \(path)"
        case .system(let operation, let path, let code):
            "cannot \(operation) \(path): \(String(cString: strerror(code)))"
        case .refused(let path, let failure):
            "the durable records in \(path) are not usable: \(failure)"
        case .undecodable(let record):
            "durable record \(record) is one of another protocol"
        case .earlierFormat(let path):
            "\(path) is a journal of an earlier format; the record log of this version is a folder"
        case .tooLarge(let bytes, let limit):
            "durable records of \(bytes) bytes; the limit is \(limit)"
        case .ended(let path):
            "writing to \(path) has failed before"
        }
    }
}
