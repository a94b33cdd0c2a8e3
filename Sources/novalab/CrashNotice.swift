import Experiments
import Foundation
import Scenarios
import Synchronization

/// Says which replications were running when the code under test traps, and ends the process with
/// code 13: finished replications are in the archive already.
enum CrashNotice {
    /// One line for each replication that runs, rendered beforehand: a signal handler may neither
    /// allocate nor lock. Written under `lock`, read without it by the handler.
    private static let slots = 64
    nonisolated(unsafe) private static let lines:
        UnsafeMutablePointer<UnsafeMutablePointer<CChar>?> = {
            let cells = UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>.allocate(capacity: slots)
            cells.initialize(repeating: nil, count: slots)
            return cells
        }()
    private static let lock = Mutex(())
    private static let prefix = StaticString(
        "\nnovalab: the code under test crashed; repeat the replications that were running with:\n"
    )

    static func install() {
        // Made before any signal can ask for it.
        _ = lines
        for number in [SIGILL, SIGTRAP, SIGSEGV, SIGBUS, SIGABRT] {
            var action = sigaction()
            action.__sigaction_handler.sa_handler = { _ in CrashNotice.report() }
            sigaction(number, &action, nil)
        }
    }

    /// Runs a replication; a crash meanwhile names it.
    static func during<Value>(
        _ setting: ReplicationSetting,
        file: String,
        _ body: () throws -> Value
    ) rethrows -> Value {
        let line =
            "  novalab replay \(file) --seed \(setting.seed) --variant \(setting.variant.name)\n"
        let copy = strdup(line)
        let slot = lock.withLock { _ in
            let slot = (0..<slots).first { lines[$0] == nil }
            if let slot { lines[slot] = copy }
            return slot
        }
        defer {
            lock.withLock { _ in
                if let slot { lines[slot] = nil }
            }
            free(copy)
        }
        return try body()
    }

    private static func report() {
        _ = write(STDERR_FILENO, prefix.utf8Start, prefix.utf8CodeUnitCount)
        for index in 0..<slots {
            guard let line = lines[index] else { continue }
            _ = write(STDERR_FILENO, line, strlen(line))
        }
        _exit(13)
    }
}
