import Glibc
import Units

/// A process that can be stopped as a whole and continued, seen through `/proc`.
package struct StoppableProcess {
    package let pid: Int32
    /// When it started, in clock ticks: tells it from a later process with the same number.
    private let startTime: UInt64

    /// How long a process may take until its last thread has stopped: threads in uninterruptible
    /// waits (disk, network file systems) stop only after them.
    private static let stopLimit = Interval.seconds(10)

    package init(pid: Int32) throws(DataSetError) {
        guard pid > 1, pid != getpid() else {
            throw .badRequest("cannot capture process \(pid): it is this program or init")
        }
        guard FileAccess.exists("/proc/self/stat") else {
            throw .unreadableProcess(path: "/proc/self/stat", reason: "no such file")
        }
        guard let status = ProcessStatus(path: "/proc/\(pid)/stat") else {
            throw .noSuchProcess(pid: pid)
        }
        guard !status.isStopped else {
            throw .badRequest("process \(pid) is stopped: continue it first (kill -CONT \(pid))")
        }
        self.pid = pid
        startTime = status.startTime
    }

    package var isRunning: Bool {
        guard let status = ProcessStatus(path: "/proc/\(pid)/stat") else { return false }
        return status.startTime == startTime && !status.isDead
    }

    /// Returns once every thread has stopped; nothing in its memory changes from then on, except
    /// through memory that other processes share and write.
    package func stop() throws(DataSetError) {
        guard isRunning else { throw .noSuchProcess(pid: pid) }
        guard kill(pid, SIGSTOP) == 0 else {
            if errno == ESRCH { throw .noSuchProcess(pid: pid) }
            throw .notPermitted(pid: pid)
        }
        let deadline = MonotonicTime.now + StoppableProcess.stopLimit
        while !areAllThreadsStopped {
            guard isRunning else { throw .noSuchProcess(pid: pid) }
            guard MonotonicTime.now < deadline else {
                resume()
                throw .unresponsive(pid: pid, waitingFor: "stop within 10 s")
            }
            MonotonicTime.sleep(.microseconds(200))
        }
    }

    package func resume() {
        if isRunning { kill(pid, SIGCONT) }
    }

    /// The list of threads is read again after all were seen stopped: one that was being created
    /// meanwhile shows up in it.
    private var areAllThreadsStopped: Bool {
        let threads = FileAccess.names(in: "/proc/\(pid)/task").filter { $0.first != "." }
        guard !threads.isEmpty else { return false }
        for thread in threads {
            guard let status = ProcessStatus(path: "/proc/\(pid)/task/\(thread)/stat") else {
                continue
            }
            guard status.isStopped || status.isDead else { return false }
        }
        return threads == FileAccess.names(in: "/proc/\(pid)/task").filter { $0.first != "." }
    }
}

/// One line of `/proc/PID/stat` (proc(5)).
package struct ProcessStatus: Hashable {
    package var state: Character
    package var startTime: UInt64

    package var isStopped: Bool { state == "T" || state == "t" }
    package var isDead: Bool { state == "Z" || state == "X" || state == "x" }

    package init?(path: String) {
        guard let descriptor = try? FileAccess.open(path) else { return nil }
        var reader = ByteReader(descriptor: descriptor, .none)
        var failed = false
        let bytes = [UInt8](unsafeUninitializedCapacity: 4096) { space, used in
            do throws(ByteReader.Failure) {
                used = try reader.fill(UnsafeMutableRawBufferPointer(space))
            } catch {
                failed = true
            }
        }
        guard !failed else { return nil }
        self.init(String(decoding: bytes, as: UTF8.self))
    }

    /// The command stands in parentheses and may hold any characters, so fields are counted from
    /// the last closing one: state is field 3, the start time field 22.
    package init?(_ line: some StringProtocol) {
        guard let close = line.lastIndex(of: ")") else { return nil }
        let fields = line[line.index(after: close)...].split(separator: " ")
        guard fields.count >= 20, let state = fields[0].first, fields[0].count == 1,
            let startTime = UInt64(fields[19])
        else { return nil }
        self.state = state
        self.startTime = startTime
    }
}
