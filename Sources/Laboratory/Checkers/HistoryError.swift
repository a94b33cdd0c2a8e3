/// What can be wrong with a recorded history from outside.
public enum HistoryError: Error, Hashable, Sendable {
    /// A line of a file that is no event of a history.
    case line(Int, problem: String)
    case unreadable(path: String, reason: String)
    case tooLarge(path: String, bytes: Int, limit: Int)
    /// Two histories that should become one use the same number for a process.
    case sharedProcess(Int32)
}

extension HistoryError: CustomStringConvertible {
    public var description: String {
        switch self {
        case .line(let number, let problem): "line \(number): \(problem)"
        case .unreadable(let path, let reason): "cannot read \(path): \(reason)"
        case .tooLarge(let path, let bytes, let limit):
            "\(path) has \(bytes) bytes; at most \(limit) can be checked"
        case .sharedProcess(let process):
            "process \(process) appears in two files; give each client numbers of its own"
        }
    }
}
