import Effects
import Foundation
import RealNodes
import Testing
import Units

/// Goal: a machine that does not give a node what it needs is named, with the code for it, and the
/// node leaves it as it was; what a node can do without only degrades it.
/// Method: the built daemon with files, limits and ports that are taken away, one at a time.
@Suite struct PlaceFaultTests {
    @Test func aFileInTheFoldersPlaceIs69() throws {
        let daemon = try Daemon()
        try Data("mine".utf8).write(to: URL(filePath: daemon.node.dataPath))
        try Fault(daemon).expectRefusal(69, daemon.node.dataPath)
        #expect(try Data(contentsOf: URL(filePath: daemon.node.dataPath)) == Data("mine".utf8))
    }

    /// Method: the daemon as a user to whom the parent folder is closed; needs root.
    @Test(.enabled(if: getuid() == 0 && Daemon.canChangeUser))
    func aFolderThatMayNotBeWrittenIs69() throws {
        let daemon = try Daemon()
        try Fault(daemon, wrapper: Daemon.asNobody)
            .expectRefusal(69, daemon.node.dataPath, "permission denied")
        #expect(!FileManager.default.fileExists(atPath: daemon.node.dataPath))
    }

    /// Method: a small file system in memory, in a name space of its own; needs root.
    @Test(.enabled(if: getuid() == 0 && Daemon.canMount), arguments: ["4k", "16k", "48k"])
    func aFullDiskIs74(size: String) throws {
        let daemon = try Daemon()
        try Fault(daemon, wrapper: daemon.mounted("size=\(size)"))
            .expectRefusal(74, daemon.node.dataPath, "disk")
    }

    @Test(.enabled(if: getuid() == 0 && Daemon.canMount)) func aReadOnlyDiskIs69() throws {
        let daemon = try Daemon()
        try Fault(daemon, wrapper: daemon.mounted("ro")).expectRefusal(69, daemon.node.dataPath)
    }

    @Test func aLimitOfFileSizesIs74() throws {
        let daemon = try Daemon()
        try Fault(daemon, wrapper: ["/usr/bin/prlimit", "--fsize=4096"])
            .expectRefusal(74, "node.sqlite")
        // Without the limit the same folder serves.
        try Fault(daemon).expectReady()
    }

    @Test(arguments: [8, 16, 24]) func tooFewOpenFilesAre69(limit: Int) throws {
        let daemon = try Daemon()
        try Fault(daemon, wrapper: ["/usr/bin/prlimit", "--nofile=\(limit)"])
            .expectRefusal(69, "open files")
        try Fault(daemon).expectReady()
    }

    @Test(
        arguments: [
            "minimum-memory: 1024 TiB", "minimum-disk: 1024 TiB", "minimum-cores: 4096",
            "minimum-open-files: 10000000",
        ]
    )
    func tooLittleOfAResourceIs69WhenItHalts(setting: String) throws {
        let halting = RealNode.freePorts + "resources:\n  \(setting)\n  below-minimum: halt\n"
        let daemon = try Daemon(configuration: halting)
        try Fault(daemon).expectRefusal(69, "resources", "asked for")
        let warning = RealNode.freePorts + "resources:\n  \(setting)\n  below-minimum: warn\n"
        try Data(warning.utf8).write(to: URL(filePath: daemon.node.configurationPath))
        try Fault(daemon).expectReady()
    }

    @Test func anOccupiedControlPortIs69AndFreeLater() throws {
        let occupied = try OccupiedPort()
        let text = RealNode.freePorts.replacing(
            "control: 127.0.0.1:0",
            with: "control: 127.0.0.1:\(occupied.number)"
        )
        let daemon = try Daemon(configuration: text)
        try Fault(daemon).expectRefusal(69, "network.control", "\(occupied.number)")
        try Data(RealNode.freePorts.utf8).write(
            to: URL(filePath: daemon.node.configurationPath)
        )
        try Fault(daemon).expectReady()
    }

    @Test func anOccupiedPortOfMigrationsOnlyDegrades() throws {
        let occupied = try OccupiedPort()
        let text = RealNode.freePorts.replacing(
            "dwcp:\n  endpoint: 127.0.0.1:0",
            with: "dwcp:\n  endpoint: 127.0.0.1:\(occupied.number)"
        )
        let fault = try Fault(try Daemon(configuration: text))
        fault.expectReady(without: ["dwcp.transport"])
    }

    @Test func anOccupiedPortOfProbesOnlyDegrades() throws {
        let occupied = try OccupiedPort(datagrams: true)
        let text = RealNode.freePorts.replacing(
            "answers-at: 127.0.0.1:0",
            with: "answers-at: 127.0.0.1:\(occupied.number)"
        )
        try Fault(try Daemon(configuration: text)).expectReady(without: ["network.probes"])
    }

    @Test func anOccupiedHealthPortOnlyDegrades() throws {
        let occupied = try OccupiedPort()
        let text = RealNode.freePorts.replacing(
            "health:\n  endpoint: 127.0.0.1:0",
            with: "health:\n  endpoint: 127.0.0.1:\(occupied.number)"
        )
        try Fault(try Daemon(configuration: text))
            .expectReady(without: ["health.server", "health.monitor"])
    }

    @Test func aFolderThatAnotherNodeUsesIs69() throws {
        let daemon = try Daemon.lived()
        let lock = open(daemon.path("node.lock"), O_RDWR | O_CLOEXEC)
        defer { close(lock) }
        try #require(flock(lock, LOCK_EX | LOCK_NB) == 0)
        let fault = try Fault(daemon)
        #expect(fault.boot.ending?.cause == .exit(69))
        #expect(fault.complaints.count { $0.contains("one node a data directory") } == 1)
        // The lock that is left is ours.
        #expect(fault.boot.leftovers == ["\(daemon.path("node.lock")) is still locked"])
        try #require(flock(lock, LOCK_UN) == 0)
        try Fault(daemon).expectReady()
    }

    @Test func theLockOfADeadProcessIsNone() throws {
        let daemon = try Daemon.lived()
        // The number of a process that lives, but holds no lock.
        try daemon.write("\(getpid())\n".utf8, to: "node.lock")
        try Fault(daemon).expectReady()
    }

    @Test func aListenerThatGoesAwayDisturbsNobody() throws {
        let daemon = try Daemon()
        let process = try daemon.node.start()
        process.stopListening()
        // READY is the journal's word then.
        let limit = Date.now + 30
        while process.waitForEnd(until: 0) == nil, Date.now < limit {
            let journal = try? String(contentsOfFile: daemon.path("boot.journal"), encoding: .utf8)
            if journal?.contains("ready node") == true { break }
            usleep(2_000)
        }
        process.signal(SIGTERM)
        #expect(process.ended() == .exit(0), "\(daemon.node.errors)")
        #expect(daemon.node.data.problems() == [])
    }
}

extension Daemon {
    static let canMount = FileManager.default.isExecutableFile(atPath: "/usr/bin/unshare")

    /// Starts what follows with a file system in memory in the place of its data directory.
    func mounted(_ options: String) -> [String] {
        let script =
            #"mkdir -p "$0" && mount -t tmpfs -o "# + options + #" tmpfs "$0" && exec "$@""#
        return ["/usr/bin/unshare", "-m", "/bin/sh", "-c", script, node.dataPath]
    }
}
