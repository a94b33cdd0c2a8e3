@preconcurrency import Glibc
import Units

/// A program that we started, to be captured; it is ended by its process number when the value goes.
///
/// It runs in a process group of its own, so that Ctrl-C in a terminal reaches only us and it is
/// never ended half-way through a snapshot. Its standard input is empty; what it prints is dropped,
/// except that the end of its standard error explains an early end.
package struct ChildProcess: ~Copyable {
    package let pid: Int32
    private let command: String
    private let output: Int32
    private let errors: Int32
    private var ending: String?

    /// How long it may take to end after SIGTERM before SIGKILL.
    private static let patience = Interval.seconds(2)

    package init(_ arguments: [String]) throws(DataSetError) {
        command = arguments.joined(separator: " ")
        guard !arguments.isEmpty else { throw .badRequest("the command to capture is empty") }
        var ends: [Int32] = [-1, -1]
        guard pipe(&ends) == 0 else {
            throw .cannotStart(command: command, reason: FileAccess.lastError())
        }
        for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
        let errors = ChildProcess.temporaryFile()
        let result = ChildProcess.spawn(arguments, output: ends[1], errors: errors)
        close(ends[1])
        guard result.error == 0 else {
            close(ends[0])
            close(errors)
            throw .cannotStart(command: command, reason: String(cString: strerror(result.error)))
        }
        pid = result.pid
        output = ends[0]
        self.errors = errors
        _ = fcntl(output, F_SETFL, O_NONBLOCK)
    }

    deinit {
        if ending == nil { ChildProcess.end(pid) }
        close(output)
        close(errors)
    }

    /// How it ended, in words, or `nil` while it runs.
    package mutating func checkForEnd() -> String? {
        if let ending { return ending }
        var status: Int32 = 0
        guard waitpid(pid, &status, WNOHANG) == pid else { return nil }
        ending = ChildProcess.describe(status) + lastWords
        return ending
    }

    /// Drops what it printed and tells whether a line of it was `line`; called often enough, a pipe
    /// never fills up.
    package mutating func drainOutput(lookingFor line: String?, in pending: inout [UInt8]) -> Bool {
        var found = false
        var chunk = [UInt8](repeating: 0, count: 1 << 16)
        while true {
            let count = read(output, &chunk, chunk.count)
            guard count > 0 else { return found }
            guard let line else { continue }
            pending += chunk[..<count]
            while let end = pending.firstIndex(of: UInt8(ascii: "\n")) {
                if pending[..<end].elementsEqual(line.utf8) { found = true }
                pending.removeSubrange(...end)
            }
            // A line longer than this is not the one that is looked for.
            if pending.count > 1 << 16 { pending = [] }
        }
    }

    private static func end(_ pid: Int32) {
        var status: Int32 = 0
        kill(pid, SIGCONT)
        kill(pid, SIGTERM)
        let deadline = MonotonicTime.now + patience
        while MonotonicTime.now < deadline {
            if waitpid(pid, &status, WNOHANG) != 0 { return }
            MonotonicTime.sleep(.milliseconds(5))
        }
        kill(pid, SIGKILL)
        while waitpid(pid, &status, 0) < 0, errno == EINTR {}
    }

    /// The last lines of its standard error, ready to be appended to a sentence.
    private var lastWords: String {
        var bytes = [UInt8](repeating: 0, count: 400)
        let size = max(0, lseek(errors, 0, SEEK_END))
        let count = pread(errors, &bytes, bytes.count, max(0, size - bytes.count))
        let text = String(decoding: bytes[..<max(0, count)], as: UTF8.self)
        let lines = text.split(whereSeparator: \.isNewline).suffix(2)
        return lines.isEmpty ? "" : " (it said: \(lines.joined(separator: " / ")))"
    }

    private static func describe(_ status: Int32) -> String {
        let signal = status & 0x7f
        return signal == 0
            ? "ended with code \(status >> 8 & 0xff)"
            : "was ended by signal \(signal)"
    }

    private static func temporaryFile() -> Int32 {
        var path = Array(
            ("/tmp/novalab-capture-" + String(repeating: "X", count: 6) + "\0").utf8CString
        )
        let descriptor = mkstemp(&path)
        if descriptor >= 0 {
            _ = fcntl(descriptor, F_SETFD, FD_CLOEXEC)
            unlink(path)
        }
        return descriptor
    }

    private static func spawn(
        _ arguments: [String],
        output: Int32,
        errors: Int32
    ) -> (pid: Int32, error: Int32) {
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0)
        posix_spawn_file_actions_adddup2(&actions, output, 1)
        if errors >= 0 {
            posix_spawn_file_actions_adddup2(&actions, errors, 2)
        } else {
            posix_spawn_file_actions_addopen(&actions, 2, "/dev/null", O_WRONLY, 0)
        }

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

        var words: [UnsafeMutablePointer<CChar>?] = arguments.map { strdup($0) } + [nil]
        defer { for word in words { free(word) } }
        var pid: pid_t = 0
        let error = posix_spawnp(&pid, arguments[0], &actions, &attributes, &words, environ)
        return (pid, error)
    }
}
