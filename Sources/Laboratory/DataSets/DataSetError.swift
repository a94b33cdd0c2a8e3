/// What can go wrong with a data set, all of it caused from outside; each case says what to do.
public enum DataSetError: Error, Hashable, Sendable {
    /// No data set has this name; `known` lists those that exist.
    case notFound(name: String, known: [String])
    /// A request that makes no sense whatever the files hold.
    case badRequest(String)
    case unreadable(path: String, reason: String)
    /// The file does not begin like a data set.
    case notADataSet(path: String)
    case unsupportedVersion(path: String, found: UInt32, supported: UInt32)
    /// A data set that was cut or corrupted.
    case damaged(path: String, problem: String)
    /// A memory dump that cannot be imported.
    case badDump(path: String, problem: String, remedy: String)
    /// A trace or table that cannot be read; line 0 stands for the file as a whole.
    case badTrace(path: String, line: Int, problem: String)
    case tooLarge(what: String, limit: String)
    case cannotStart(command: String, reason: String)
    case noSuchProcess(pid: Int32)
    case processEnded(pid: Int32, snapshots: Int, wanted: Int, ending: String)
    case notPermitted(pid: Int32)
    /// `/proc` cannot be read, or does not say what it should.
    case unreadableProcess(path: String, reason: String)
    /// The process did not stop, or did not report that it was ready, within the limit.
    case unresponsive(pid: Int32, waitingFor: String)
    case cannotWrite(path: String, reason: String)
    /// The user asked to stop; nothing was written.
    case interrupted

    /// The documented exit code of a command that ends with this error.
    public var exitCode: Int32 {
        switch self {
        case .badRequest: 64
        case .notPermitted, .unreadableProcess: 69
        case .cannotWrite: 74
        case .interrupted: 130
        case .notFound, .unreadable, .notADataSet, .unsupportedVersion, .damaged, .badDump,
            .badTrace, .tooLarge, .cannotStart, .noSuchProcess, .processEnded, .unresponsive:
            66
        }
    }
}

extension DataSetError: CustomStringConvertible {
    public var description: String {
        switch self {
        case .notFound(let name, let known):
            "no data set is called '\(name)'; there are: \(known.joined(separator: ", "))"
        case .badRequest(let problem):
            problem
        case .unreadable(let path, let reason):
            "cannot read \(path): \(reason)"
        case .notADataSet(let path):
            "\(path) is not a data set; bring a memory dump in with 'novalab dataset import'"
        case .unsupportedVersion(let path, let found, let supported):
            "\(path) has format version \(found), this build reads version \(supported); "
                + "capture or import it again"
        case .damaged(let path, let problem):
            "\(path) is damaged: \(problem); delete it and capture or import it again"
        case .badDump(let path, let problem, let remedy):
            "\(path) cannot be imported: \(problem); \(remedy)"
        case .badTrace(let path, let line, let problem):
            line > 0 ? "\(path):\(line): \(problem)" : "\(path): \(problem)"
        case .tooLarge(let what, let limit):
            "\(what) is over the limit of \(limit)"
        case .cannotStart(let command, let reason):
            "cannot start '\(command)': \(reason)"
        case .noSuchProcess(let pid):
            "there is no process \(pid)"
        case .processEnded(let pid, let snapshots, let wanted, let ending):
            "process \(pid) \(ending) after \(snapshots) of \(wanted) snapshots; "
                + "ask for fewer or capture something that runs longer"
        case .notPermitted(let pid):
            "not permitted to read the memory of process \(pid); run as its owner or as root, or "
                + "start it with --command (/proc/sys/kernel/yama/ptrace_scope may forbid more)"
        case .unreadableProcess(let path, let reason):
            "cannot read \(path): \(reason); capturing needs Linux with /proc mounted"
        case .unresponsive(let pid, let waitingFor):
            "process \(pid) did not \(waitingFor)"
        case .cannotWrite(let path, let reason):
            "cannot write \(path): \(reason); nothing was left half-written"
        case .interrupted:
            "interrupted; nothing was written"
        }
    }
}
