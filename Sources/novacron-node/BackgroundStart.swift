import Effects
import FoundationEssentials
import Glibc
import HostEffects
import Initialization

/// Starts the node in a process and session of its own, and waits until it is READY or has given up.
struct BackgroundStart {
    private static let eventsDescriptor: Int32 = 3
    private static let lineLimit = 1 << 20
    /// POSIX_SPAWN_SETSID of glibc, which its headers show to GNU programs only.
    private static let ownSession: Int16 = 0x80
    private let settings: NodeSettings

    init(_ settings: NodeSettings) {
        self.settings = settings
    }

    func run() async throws -> NodeExitCode {
        let world = HostWorld()
        let place = try await NodePlace(settings, world.effects)
        if let process = await place.runningProcess() {
            throw CommandFailure(.unavailable, "process \(process) runs in \(place.folder) already")
        }
        do {
            try await world.effects.files.createFolder(place.folder, permissions: 0o700)
        } catch {
            throw CommandFailure(error.reason == .full ? .disk : .unavailable, "\(error)")
        }
        await world.shutdown()
        let log = "\(place.folder)/novacron.log"
        let (process, reports) = try spawn(log: log)
        defer { close(reports) }
        return try follow(process, reports, log: log)
    }

    private func follow(
        _ process: pid_t,
        _ reports: Int32,
        log: String
    ) throws -> NodeExitCode {
        var lines = DescriptorLines(reports, limit: BackgroundStart.lineLimit)
        let decoder = JSONDecoder()
        while let line = lines.next() {
            guard let report = try? decoder.decode(NodeReport.self, from: Data(line)) else {
                continue
            }
            switch report {
            case .lifecycle(let event, _):
                guard case .ready(let degraded) = event.kind else { continue }
                let without =
                    degraded.isEmpty ? "" : ", without all of \(degraded.joined(separator: ", "))"
                Terminal.say("process \(process) is READY\(without); its log is \(log)")
                return .success
            case .ended(let outcome):
                waitpid(process, nil, 0)
                Terminal.complain("\(BackgroundStart.text(outcome)); the log is \(log)")
                return NodeExitCode(outcome)
            case .started, .graph, .reached, .usage:
                continue
            }
        }
        var status: Int32 = 0
        waitpid(process, &status, 0)
        let code = status & 0x7F == 0 ? NodeExitCode(rawValue: status >> 8 & 0xFF) : nil
        throw CommandFailure(code ?? .bug, "the node ended before it was READY; the log is \(log)")
    }

    static func text(_ outcome: LifecycleOutcome) -> String {
        switch outcome {
        case .stopped(let left):
            left.isEmpty ? "the node was stopped" : "did not stop: \(left.joined(separator: ", "))"
        case .failed(let component, let reason, _): "\(component): \(reason)"
        case .late(let waitingFor, _):
            "not READY in time; waiting for \(waitingFor.joined(separator: ", "))"
        case .cancelled: "the start was given up"
        }
    }

    private func spawn(log: String) throws -> (process: pid_t, reports: Int32) {
        var ends: [Int32] = [-1, -1]
        let type = Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue)
        guard socketpair(AF_UNIX, type, 0, &ends) == 0 else {
            throw CommandFailure(.unavailable, "no sockets: \(String(cString: strerror(errno)))")
        }
        defer { close(ends[1]) }
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        let writing = O_WRONLY | O_CREAT | O_APPEND
        posix_spawn_file_actions_adddup2(&actions, ends[1], BackgroundStart.eventsDescriptor)
        BackgroundStart.keepDescriptorsFromChildren()
        posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0)
        posix_spawn_file_actions_addopen(&actions, 1, log, writing, 0o600)
        posix_spawn_file_actions_addopen(&actions, 2, log, writing, 0o600)
        var attributes = posix_spawnattr_t()
        posix_spawnattr_init(&attributes)
        defer { posix_spawnattr_destroy(&attributes) }
        // A session of its own: the terminal's signals do not reach it.
        posix_spawnattr_setflags(&attributes, BackgroundStart.ownSession)
        let command =
            ["novacron-node", "start", "--foreground", "--events"]
            + ["\(BackgroundStart.eventsDescriptor)"] + settings.arguments
        var words: [UnsafeMutablePointer<CChar>?] = command.map { strdup($0) } + [nil]
        defer { for word in words { free(word) } }
        var process: pid_t = 0
        let code = posix_spawn(&process, try program(), &actions, &attributes, &words, environ)
        guard code == 0 else {
            close(ends[0])
            throw CommandFailure(.bug, "cannot start: \(String(cString: strerror(code)))")
        }
        return (process, ends[0])
    }

    /// What whoever called this command has open is none of the node's business: somebody may wait for
    /// the end of a pipe that the node would hold open for as long as it lives.
    private static func keepDescriptorsFromChildren() {
        guard let folder = opendir("/proc/self/fd") else { return }
        defer { closedir(folder) }
        while let entry = readdir(folder) {
            let name = withUnsafePointer(to: &entry.pointee.d_name) { pointer in
                pointer.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
            }
            if let descriptor = Int32(name), descriptor > 2 {
                _ = fcntl(descriptor, F_SETFD, FD_CLOEXEC)
            }
        }
    }

    private func program() throws -> String {
        var target = [CChar](repeating: 0, count: Int(PATH_MAX))
        let count = readlink("/proc/self/exe", &target, target.count - 1)
        guard count > 0 else { throw CommandFailure(.bug, "/proc does not tell this program") }
        return String(decoding: target[..<count].map(UInt8.init(bitPattern:)), as: UTF8.self)
    }
}

/// Lines that come from a descriptor, read with waiting.
struct DescriptorLines {
    private let descriptor: Int32
    private let limit: Int
    private var pending: [UInt8] = []

    /// A line longer than `limit` ends the reading.
    init(_ descriptor: Int32, limit: Int) {
        self.descriptor = descriptor
        self.limit = limit
    }

    /// `nil` at the end.
    mutating func next() -> [UInt8]? {
        var part = [UInt8](repeating: 0, count: 1 << 14)
        while true {
            if let end = pending.firstIndex(of: 10) {
                let line = Array(pending[..<end])
                pending.removeSubrange(...end)
                return line
            }
            guard pending.count <= limit else { return nil }
            let count = read(descriptor, &part, part.count)
            if count > 0 {
                pending += part[..<count]
            } else if count == 0 || errno != EINTR {
                return nil
            }
        }
    }
}
