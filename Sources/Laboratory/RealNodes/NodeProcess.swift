@preconcurrency import Glibc
public import Initialization
public import Units

/// The process of a real node, as whoever started it holds it.
///
/// It has a process group of its own, so that Ctrl-C in a terminal reaches only us and the node ends
/// in order, and a socket on which it tells its `NodeReport`s. The value is used by one thread; when it
/// goes, the process is ended and reaped.
public final class NodeProcess {
    public let pid: Int32
    /// CLOCK_MONOTONIC right before the process was made, in nanoseconds.
    public let spawned: Int64
    /// How it ended; `nil` until `waitForEnd` has seen that.
    public private(set) var ending: ProcessEnding?
    private let events: Int32
    private var lines = ReportLines()
    private var isAtEnd = false

    /// The descriptor under which the node finds the socket.
    public static let eventsDescriptor: Int32 = 3
    /// How long a process that is no longer wanted may take to end in order.
    private static let patience = Interval.seconds(2)
    /// Processes that were killed need this to go.
    private static let moment = Interval.milliseconds(200)

    /// Starts `command`.
    ///
    /// - Parameters:
    ///   - command: the program's path and its arguments.
    ///   - environment: all of its environment variables, as `NAME=value`.
    ///   - output: a file that gets standard output; it is made anew.
    ///   - errors: a file that gets standard error; it is made anew.
    public init(
        _ command: [String],
        environment: [String],
        output: String,
        errors: String
    ) throws(RealNodeError) {
        var ends: [Int32] = [-1, -1]
        // Not a pipe: here closing on exec is set at once, so that a process that another thread
        // starts meanwhile does not hold the node's end.
        let type = Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue)
        guard socketpair(AF_UNIX, type, 0, &ends) == 0 else {
            throw RealNodeError("cannot make sockets: \(RealNodeError.lastSystemError)")
        }
        let spawned = MonotonicClock.now
        let (pid, error) = NodeProcess.spawn(
            command,
            environment: environment,
            output: output,
            errors: errors,
            events: ends[1]
        )
        close(ends[1])
        guard error == 0 else {
            close(ends[0])
            let reason = String(cString: strerror(error))
            throw RealNodeError("cannot start \(command.joined(separator: " ")): \(reason)")
        }
        self.pid = pid
        self.spawned = spawned
        events = ends[0]
        _ = fcntl(events, F_SETFL, O_NONBLOCK)
    }

    deinit {
        end()
        close(events)
    }

    /// What listening for a report came to.
    public enum Hearing: Hashable, Sendable {
        case report(NodeReport)
        /// A line that is no report.
        case garbage(String)
        /// Nobody can write any more: the process has ended, or closed its side.
        case end
        /// Nothing came in time.
        case silence
    }

    /// The next report, waiting until the monotonic clock shows `deadline`.
    public func listen(until deadline: Int64) -> Hearing {
        while true {
            if let line = lines.next() { return line }
            if isAtEnd { return .end }
            let wait = deadline - MonotonicClock.now
            var descriptor = pollfd(fd: events, events: Int16(POLLIN), revents: 0)
            // Rounded up, so that the last wait is not a busy one.
            let milliseconds = wait <= 0 ? 0 : (wait + 999_999) / 1_000_000
            let count = poll(&descriptor, 1, Int32(clamping: milliseconds))
            if count == 0, MonotonicClock.now >= deadline { return .silence }
            guard count > 0 else { continue }
            readEvents()
        }
    }

    private func readEvents() {
        var piece = [UInt8](repeating: 0, count: 1 << 16)
        let count = read(events, &piece, piece.count)
        if count > 0 {
            lines.append(piece[..<count])
        } else if count == 0 || (errno != EINTR && errno != EAGAIN) {
            isAtEnd = true
            lines.finish()
        }
    }

    /// Closes our side: what the node tells from here on reaches nobody.
    public func stopListening() {
        shutdown(events, Int32(SHUT_RDWR))
        isAtEnd = true
    }

    /// Sends a signal, unless the process has been reaped.
    public func signal(_ number: Int32) {
        if ending == nil { kill(pid, number) }
    }

    /// Waits until the process has ended or the monotonic clock shows `deadline`; what it told
    /// meanwhile is kept for `listen`.
    public func waitForEnd(until deadline: Int64) -> ProcessEnding? {
        while ending == nil {
            var status: Int32 = 0
            var usage = rusage()
            if wait4(pid, &status, WNOHANG, &usage) == pid {
                ending = ProcessEnding(status: status, usage: usage)
                break
            }
            guard MonotonicClock.now < deadline else { return nil }
            if isAtEnd {
                // Its side is closed, so it is about to go.
                usleep(200)
            } else {
                var descriptor = pollfd(fd: events, events: Int16(POLLIN), revents: 0)
                if poll(&descriptor, 1, 2) > 0 { readEvents() }
            }
        }
        return ending
    }

    /// Ends the process, in order if it does so soon, and reaps it.
    public func end() {
        guard ending == nil else { return }
        signal(SIGCONT)
        signal(SIGTERM)
        let deadline = MonotonicClock.now + NodeProcess.patience.nanoseconds
        if waitForEnd(until: deadline) != nil { return }
        killGroup()
    }

    /// Ends the process and everything it started at once, as a crash does, and reaps it.
    public func killGroup() {
        guard ending == nil else { return }
        kill(-pid, SIGKILL)
        _ = waitForEnd(until: .max)
    }

    /// Whether processes that the node started have outlived it; those that are still there after
    /// a moment are ended. To be asked once the node itself has been reaped.
    public func endGroup() -> Bool {
        let deadline = MonotonicClock.now + NodeProcess.moment.nanoseconds
        while ProcessGroup(pid).isAlive {
            if MonotonicClock.now >= deadline {
                kill(-pid, SIGKILL)
                return true
            }
            usleep(1_000)
        }
        return false
    }

    private static func spawn(
        _ command: [String],
        environment: [String],
        output: String,
        errors: String,
        events: Int32
    ) -> (pid: Int32, error: Int32) {
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        let writing = O_WRONLY | O_CREAT | O_TRUNC
        posix_spawn_file_actions_adddup2(&actions, events, eventsDescriptor)
        closeOthers(&actions)
        posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0)
        posix_spawn_file_actions_addopen(&actions, 1, output, writing, 0o600)
        posix_spawn_file_actions_addopen(&actions, 2, errors, writing, 0o600)

        var attributes = posix_spawnattr_t()
        posix_spawnattr_init(&attributes)
        defer { posix_spawnattr_destroy(&attributes) }
        var signals = sigset_t()
        sigemptyset(&signals)
        posix_spawnattr_setsigmask(&attributes, &signals)
        for signal in [SIGINT, SIGTERM, SIGHUP, SIGPIPE] { sigaddset(&signals, signal) }
        posix_spawnattr_setsigdefault(&attributes, &signals)
        posix_spawnattr_setpgroup(&attributes, 0)
        let flags = POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF
        posix_spawnattr_setflags(&attributes, Int16(flags))

        var words: [UnsafeMutablePointer<CChar>?] = command.map { strdup($0) } + [nil]
        var variables: [UnsafeMutablePointer<CChar>?] = environment.map { strdup($0) } + [nil]
        defer { for word in words + variables { free(word) } }
        var pid: pid_t = 0
        let error = posix_spawn(&pid, command[0], &actions, &attributes, &words, &variables)
        return (pid, error)
    }

    /// Sockets and pipes of ours are none of the node's business: it would keep our ports occupied and
    /// our pipes open for as long as it lives. The call came with glibc 2.34, in a header that Swift does
    /// not read; without it, what is not marked to be closed on exec stays open.
    private static func closeOthers(_ actions: inout posix_spawn_file_actions_t) {
        typealias CloseFrom =
            @convention(c) (UnsafeMutablePointer<posix_spawn_file_actions_t>, Int32) -> Int32
        guard let symbol = dlsym(nil, "posix_spawn_file_actions_addclosefrom_np") else { return }
        _ = unsafeBitCast(symbol, to: CloseFrom.self)(&actions, eventsDescriptor + 1)
    }
}

/// How a process ended and what it had used.
public struct ProcessEnding: Hashable, Sendable {
    public var cause: Cause
    /// User and system time of all its threads (`wait4`).
    public var cpu: Interval
    /// `ru_maxrss`. On Linux it starts with the peak of the process that started this one, so it is
    /// an upper bound of the node's own peak.
    public var peakMemory: ByteCount

    public enum Cause: Hashable, Sendable, CustomStringConvertible {
        case exit(Int32)
        case signal(Int32)

        public var description: String {
            switch self {
            case .exit(let code): "ended with code \(code)"
            case .signal(let number): "was ended by signal \(number)"
            }
        }
    }

    init(status: Int32, usage: rusage) {
        let signal = status & 0x7f
        cause = signal == 0 ? .exit(status >> 8 & 0xff) : .signal(signal)
        func time(_ value: timeval) -> Interval {
            .nanoseconds(Int64(value.tv_sec) * 1_000_000_000 + Int64(value.tv_usec) * 1_000)
        }
        cpu = time(usage.ru_utime) + time(usage.ru_stime)
        peakMemory = ByteCount(Int64(usage.ru_maxrss) << 10)
    }
}

/// The host's monotonic clock, which all processes share; in nanoseconds.
enum MonotonicClock {
    static var now: Int64 {
        var time = timespec()
        clock_gettime(CLOCK_MONOTONIC, &time)
        return Int64(time.tv_sec) * 1_000_000_000 + Int64(time.tv_nsec)
    }
}

/// Why a real node could not be started or looked at.
public struct RealNodeError: Error, Hashable, Sendable, CustomStringConvertible {
    public let description: String

    public init(_ description: String) {
        self.description = description
    }

    static var lastSystemError: String { String(cString: strerror(errno)) }
}
