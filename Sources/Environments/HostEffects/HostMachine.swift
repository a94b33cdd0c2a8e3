public import Effects
import Glibc
import Units

/// The machine and this process, as Linux tells of them in /proc and /sys.
public struct HostMachine: MachineAccess {
    private let threads: BlockingThreads
    public let environmentVariables: [(name: String, value: String)]

    init(threads: BlockingThreads) {
        self.threads = threads
        // As they were when the process began: nothing changes them afterwards.
        environmentVariables = HostMachine.text(of: "/proc/self/environ").split(separator: "\0")
            .compactMap { variable -> (name: String, value: String)? in
                guard let equals = variable.firstIndex(of: "=") else { return nil }
                let value = variable[variable.index(after: equals)...]
                return (String(variable[..<equals]), String(value))
            }
            .sorted { $0.name < $1.name }
    }

    public var processID: Int32 { getpid() }

    public var hostName: String {
        var name = [CChar](repeating: 0, count: 256)
        guard gethostname(&name, name.count - 1) == 0 else { return "localhost" }
        return HostMachine.string(name)
    }

    public func resources() async throws(MachineError) -> MachineResources {
        try await threads.run { () throws(MachineError) in
            MachineResources(
                cores: try HostMachine.cores(),
                memory: try HostMachine.memory(),
                openFiles: try HostMachine.openFilesLimit(),
                rdmaDevices: HostMachine.names(in: "/sys/class/infiniband")
            )
        }
    }

    public func usage() -> ProcessUsage {
        var used = rusage()
        getrusage(__rusage_who_t(RUSAGE_SELF.rawValue), &used)
        // Not the peak of `getrusage`: it counts what the process was before it became this program.
        let status = HostMachine.text(of: "/proc/self/status")
        return ProcessUsage(
            cpu: HostMachine.interval(used.ru_utime) + HostMachine.interval(used.ru_stime),
            residentMemory: HostMachine.kibibytes("VmRSS:", in: status),
            peakResidentMemory: HostMachine.kibibytes("VmHWM:", in: status),
            openFiles: HostMachine.names(in: "/proc/self/fd").count
        )
    }

    public func isRunning(_ process: Int32) -> Bool {
        guard process > 0, kill(process, 0) == 0 || errno == EPERM else { return false }
        // One that has ended and was not waited for still has its number.
        let state = HostMachine.text(of: "/proc/\(process)/stat")
        guard let name = state.lastIndex(of: ")") else { return false }
        return !state[name...].dropFirst().hasPrefix(" Z")
    }

    // MARK: What the system tells

    /// Those that this process may run on.
    private static func cores() throws(MachineError) -> Int {
        let name = "Cpus_allowed:"
        let line = text(of: "/proc/self/status").split(separator: "\n")
            .first { $0.hasPrefix(name) }
        let bits = line?.dropFirst(name.count).compactMap(\.hexDigitValue)
            .reduce(0) { $0 + $1.nonzeroBitCount }
        guard let bits, bits > 0 else {
            throw MachineError("/proc/self/status does not tell the processors")
        }
        return bits
    }

    /// The machine's, or what the control groups above this process leave of it.
    private static func memory() throws(MachineError) -> ByteCount {
        let total = kibibytes("MemTotal:", in: text(of: "/proc/meminfo"))
        guard total > .zero else { throw MachineError("/proc/meminfo does not tell the memory") }
        return min(total, groupLimits().min() ?? total)
    }

    /// Limits of the memory of this process's control groups, version 2 and 1.
    private static func groupLimits() -> [ByteCount] {
        var limits: [ByteCount] = []
        for line in text(of: "/proc/self/cgroup").split(separator: "\n") {
            let parts = line.split(separator: ":", maxSplits: 2, omittingEmptySubsequences: false)
            guard parts.count == 3 else { continue }
            let isSecond = parts[0] == "0" && parts[1].isEmpty
            guard isSecond || parts[1].split(separator: ",").contains("memory") else { continue }
            let root = isSecond ? "/sys/fs/cgroup" : "/sys/fs/cgroup/memory"
            let file = isSecond ? "memory.max" : "memory.limit_in_bytes"
            var folders = parts[2].split(separator: "/")
            while true {
                let folder = folders.isEmpty ? root : "\(root)/\(folders.joined(separator: "/"))"
                let limit = text(of: "\(folder)/\(file)").prefix { $0.isNumber }
                if let bytes = Int64(limit) { limits.append(ByteCount(bytes)) }
                guard folders.popLast() != nil else { break }
            }
        }
        return limits
    }

    private static func openFilesLimit() throws(MachineError) -> Int {
        var limit = rlimit()
        guard getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0 else {
            throw MachineError("the limit of open files cannot be told: \(lastError())")
        }
        return Int(clamping: limit.rlim_cur)
    }

    /// Sorted; empty when there is no such folder.
    private static func names(in folder: String) -> [String] {
        (try? FileSystem.names(in: folder)) ?? []
    }

    /// Empty when there is no such file.
    private static func text(of path: String) -> String {
        let bytes = try? FileSystem.readGrowing(path, limit: 1 << 20)
        return String(decoding: bytes ?? [], as: UTF8.self)
    }

    /// The value of a line such as `VmHWM:   1024 kB`; zero when there is none.
    private static func kibibytes(_ name: String, in text: String) -> ByteCount {
        for line in text.split(separator: "\n") where line.hasPrefix(name) {
            let words = line.split(whereSeparator: { $0 == " " || $0 == "\t" })
            if words.count > 1, let count = Int64(words[1]) { return .kibibytes(count) }
        }
        return .zero
    }

    private static func interval(_ time: timeval) -> Interval {
        .seconds(Int64(time.tv_sec)) + .microseconds(Int64(time.tv_usec))
    }

    private static func lastError() -> String { String(cString: strerror(errno)) }

    private static func string(_ characters: [CChar]) -> String {
        String(decoding: characters.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self)
    }
}
