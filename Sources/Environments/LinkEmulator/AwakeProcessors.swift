import Glibc
import Synchronization

/// Keeps processors from sleeping while an emulator waits for packets.
///
/// A virtual machine's processor that sleeps has to be brought back by its host, which may take
/// milliseconds where others want the host's processors too. A thread a processor spins under SCHED_IDLE
/// (sched(7)): whatever else wants to run comes before it at once.
///
/// It rests while so many packets move that no processor sleeps anyway: two that share a core slow each other
/// down. Not at all where a control group limits its processor time (cgroups(7)): spinning would use it up.
final class AwakeProcessors: Sendable {
    /// Packets that relays have moved so far.
    let packets = Atomic<UInt64>(0)
    private let isOver = Atomic(false)
    private let threads = Mutex<[RelayThread]>([])

    /// Begins to keep processors awake, until `stop`.
    func begin() {
        guard !ProcessorQuota.isSet else { return }
        isOver.store(false, ordering: .relaxed)
        let count = max(1, sysconf(Int32(_SC_NPROCESSORS_ONLN)))
        let started = (0..<count).map { _ in
            RelayThread.run { [self] in
                guard RelayThread.becomeIdle() else { return }
                var isBusy = false
                while !isOver.load(ordering: .relaxed) { spinOrRest(&isBusy) }
            }
        }
        threads.withLock { $0 = started }
    }

    private static let period: Int64 = 20_000_000
    /// Packets in a period above which processors stay awake by themselves: 25,000 a second.
    private static let traffic: UInt64 = 500

    /// Spins for a period, or rests for one after a period with much to do.
    private func spinOrRest(_ isBusy: inout Bool) {
        let before = packets.load(ordering: .relaxed)
        if isBusy {
            var time = timespec(tv_sec: 0, tv_nsec: Int(AwakeProcessors.period))
            nanosleep(&time, nil)
        } else {
            let end = RelayClock.nanoseconds + AwakeProcessors.period
            while RelayClock.nanoseconds < end, !isOver.load(ordering: .relaxed) {}
        }
        isBusy = packets.load(ordering: .relaxed) &- before > AwakeProcessors.traffic
    }

    func stop() {
        isOver.store(true, ordering: .relaxed)
        let running = threads.withLock { threads in
            defer { threads = [] }
            return threads
        }
        for thread in running { thread.join() }
    }
}

/// Whether this process's control groups limit its processor time.
package enum ProcessorQuota {
    static var isSet: Bool {
        let groups = text("/proc/self/cgroup").split(separator: "\n").flatMap { line in
            let parts = line.split(separator: ":", maxSplits: 2, omittingEmptySubsequences: false)
            guard parts.count == 3 else { return [] as [String] }
            if parts[1].isEmpty { return ancestors("/sys/fs/cgroup", String(parts[2]), "cpu.max") }
            guard parts[1].split(separator: ",").contains("cpu") else { return [] }
            return ancestors("/sys/fs/cgroup/cpu", String(parts[2]), "cpu.cfs_quota_us")
        }
        return groups.contains { limits(text($0)) }
    }

    /// `max 100000` and `-1` limit nothing; neither does a file that is not there.
    package static func limits(_ value: String) -> Bool {
        guard let first = value.split(whereSeparator: \.isWhitespace).first else { return false }
        return first != "max" && first != "-1"
    }

    /// The file's paths in a group and in all those above it.
    package static func ancestors(_ root: String, _ group: String, _ file: String) -> [String] {
        var folder = root
        var files = ["\(root)/\(file)"]
        for name in group.split(separator: "/") {
            folder += "/\(name)"
            files.append("\(folder)/\(file)")
        }
        return files
    }

    private static func text(_ path: String) -> String {
        guard let file = try? Descriptor(opening: path, O_RDONLY, "") else { return "" }
        let bytes = [UInt8](unsafeUninitializedCapacity: 4_096) { buffer, count in
            count = max(0, read(file.rawValue, buffer.baseAddress!, buffer.count))
        }
        return String(decoding: bytes, as: UTF8.self)
    }
}
