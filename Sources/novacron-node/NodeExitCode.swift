import Effects
import Initialization

/// How the program ends; `--help` lists them.
enum NodeExitCode: Int32 {
    case success = 0
    /// `status`: it runs but is not READY; `stop`: it still runs.
    case notYet = 1
    case notRunning = 3
    case usage = 64
    case badConfiguration = 65
    /// A privilege, port or resource, or another instance has it.
    case unavailable = 69
    case bug = 70
    case disk = 74
    case interrupted = 130
}

/// Why a command cannot do what it was asked.
struct CommandFailure: Error {
    var code: NodeExitCode
    var message: String

    init(_ code: NodeExitCode, _ message: String) {
        self.code = code
        self.message = message
    }
}

extension NodeExitCode {
    /// What the end of a node's life means.
    init(_ outcome: LifecycleOutcome) {
        switch outcome {
        case .stopped(let left), .cancelled(let left):
            self = left.isEmpty ? .success : .notYet
        case .failed(let component, let reason, _):
            self.init(failed: component, reason: reason)
        case .late:
            self = .unavailable
        }
    }

    /// A failure is told in words, so that it can be logged and stored; those of files and databases
    /// end alike wherever they come from.
    private init(failed component: String, reason: String) {
        if component == "configuration" {
            self = .badConfiguration
        } else if NodeExitCode.fullDisk.contains(where: reason.hasSuffix) {
            self = .disk
        } else if component == "database" || component == "database.migrations" {
            self = reason.hasSuffix(NodeExitCode.denied) ? .unavailable : .disk
        } else {
            self = .unavailable
        }
    }

    private static let denied = String(FileError(.denied, "").description)
    private static let fullDisk = [
        FileError(.full, "").description, DatabaseError(.full, "").description,
    ]
}
