public import Effects
import Glibc
import NIOCore
import NIOPosix

/// The effects of a real host: system clocks, files, sockets, SQLite.
///
/// One process needs one world. Blocking calls of the system run on threads of its own, never on
/// those that run Swift's tasks. `shutdown` ends its threads; whatever was opened through its effects
/// must be closed before.
public final class HostWorld: Sendable {
    public let effects: NodeEffects
    private let group: MultiThreadedEventLoopGroup
    private let threads: BlockingThreads

    /// - Parameters:
    ///   - clock: made as early as possible, since its origin is the process's start.
    ///   - crashPoints: `KillingCrashPoints` puts a crash at one of them.
    public init(
        clock: HostClock = HostClock(),
        log: any LogSink = HostLog(),
        crashPoints: any CrashPoints = NoCrashPoints()
    ) {
        // A peer or a reader of the log that goes away must not end the process.
        signal(SIGPIPE, SIG_IGN)
        // Loops wait for sockets and threads for disks: a few do, whatever the number of cores.
        group = MultiThreadedEventLoopGroup(numberOfThreads: 2)
        threads = BlockingThreads(count: 4)
        effects = NodeEffects(
            clock: clock,
            files: HostFiles(threads: threads),
            machine: HostMachine(threads: threads),
            network: HostNetwork(group: group, threads: threads),
            databases: HostDatabases(threads: threads),
            secrets: HostSecrets(),
            log: log,
            crashPoints: crashPoints
        )
    }

    /// Ends the world's threads once they have nothing left to do.
    public func shutdown() async {
        try? await group.shutdownGracefully()
        await threads.shutdown()
    }
}
