import Effects
import Foundation
import Initialization
import RealNodes
import Testing
import Units

/// Goal: a node starts where it can, and where it cannot it says why, with the right code, and
/// leaves nothing half done.
/// Method: the built daemon with free ports; each test spoils one thing.
@Suite(.serialized) struct StartingTests {
    @Test func aNodeBootsServesAndLeavesNothing() throws {
        let daemon = try Daemon()
        let session = BootSession(daemon.node)
        for _ in 0..<2 {
            let boot = try #require(try session.measure())
            #expect(boot.problems == [], "\(daemon.node.errors)")
            #expect(boot.outcome == .stopped(left: []))
            #expect(boot.ready != nil && !boot.sockets.isEmpty)
            #expect(boot.usageAtReady.map { $0.peakMemory < .mebibytes(500) } == true)
            #expect(boot.graph.contains { $0.name == "instance-lock" })
        }
        #expect(!FileManager.default.fileExists(atPath: "\(daemon.node.dataPath)/running.json"))
    }

    @Test func aSecondInstanceIsRefused() async throws {
        let daemon = try Daemon()
        try await daemon.whileReady { process in
            let second = try await daemon.ask("start", ["--foreground"])
            #expect(second.code == 69, "\(second.errors)")
            #expect(second.errors.contains("process \(process.pid)"))
            // The first one has lost nothing.
            #expect(try await daemon.ask("status").code == 0)
        }
    }

    @Test(
        arguments: [
            ("network:\n  control: 127.0.0.1:no\n", "node.yaml:2:12"),
            ("network:\n  controll: 127.0.0.1:1\n", "node.yaml:2:3"),
            ("a: [\n", "node.yaml:2"), ("- 1\n", "node.yaml:1:1"),
        ]
    )
    func aBadConfigurationIs65AndNamesTheLine(text: String, place: String) async throws {
        let daemon = try Daemon(configuration: text)
        let ending = try daemon.refused()
        #expect(ending.code == 65)
        #expect(ending.errors.contains(place), "\(ending.errors)")
        let checked = try await daemon.ask("check")
        #expect(checked.code == 65 && checked.errors.contains(place))
        #expect(!FileManager.default.fileExists(atPath: daemon.node.dataPath))
    }

    @Test func variablesAreCheckedToo() throws {
        let daemon = try Daemon()
        let unknown = try daemon.refused(variables: ["NOVACRON_NO_SUCH=1"])
        #expect(unknown.code == 65 && unknown.errors.contains("NOVACRON_NO_SUCH"))
        let wrong = try daemon.refused(variables: ["NOVACRON_DATABASE_BUSY_TIMEOUT=soon"])
        #expect(wrong.code == 65 && wrong.errors.contains("NOVACRON_DATABASE_BUSY_TIMEOUT"))
    }

    @Test func aMissingConfigurationFileIs65() async throws {
        let ending = try await Daemon.run(["check", "--config", "/no/such/node.yaml"])
        #expect(ending.code == 65 && ending.errors.contains("/no/such/node.yaml"))
    }

    @Test func aSoundConfigurationIsSaidToBeSo() async throws {
        let daemon = try Daemon()
        let ending = try await daemon.ask("check")
        #expect(ending.code == 0 && ending.output.contains("sound"))
        #expect(!FileManager.default.fileExists(atPath: daemon.node.dataPath))
    }

    @Test(arguments: ["/sys/novacron-node-test", "/dev/null/data"])
    func aFolderThatCannotBeWrittenIs69(folder: String) async throws {
        let ending = try await Daemon.run([
            "start", "--foreground", "--data-directory", folder,
        ])
        #expect(ending.code == 69 && ending.errors.contains(folder), "\(ending.errors)")
    }

    @Test func anOccupiedControlPortIs69() throws {
        let occupied = try OccupiedPort()
        let text = RealNode.freePorts.replacing(
            "control: 127.0.0.1:0",
            with: "control: 127.0.0.1:\(occupied.number)"
        )
        let daemon = try Daemon(configuration: text)
        let ending = try daemon.refused()
        #expect(ending.code == 69)
        #expect(ending.errors.contains("another process listens there"), "\(ending.errors)")
        #expect(daemon.node.data.problems() == [])
    }

    @Test func anOccupiedHealthPortDegradesOnly() async throws {
        let occupied = try OccupiedPort()
        let text = RealNode.freePorts.replacing(
            "health:\n  endpoint: 127.0.0.1:0",
            with: "health:\n  endpoint: 127.0.0.1:\(occupied.number)"
        )
        let daemon = try Daemon(configuration: text)
        try await daemon.whileReady { _ in
            let status = try await daemon.ask("status")
            #expect(status.code == 1 && status.output.contains("does not answer"))
        }
    }
}

/// A port on which somebody else listens.
final class OccupiedPort {
    let number: UInt16
    private let descriptor: Int32

    init(datagrams: Bool = false) throws {
        let kind = datagrams ? SOCK_DGRAM : SOCK_STREAM
        let listener = socket(
            AF_INET,
            // A node that is started meanwhile must not hold it open.
            Int32(kind.rawValue) | Int32(SOCK_CLOEXEC.rawValue),
            0
        )
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        var size = socklen_t(MemoryLayout<sockaddr_in>.size)
        let code = withUnsafeMutablePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(listener, $0, size) | (datagrams ? 0 : listen(listener, 1))
                    | getsockname(listener, $0, &size)
            }
        }
        descriptor = listener
        number = UInt16(bigEndian: address.sin_port)
        try #require(code == 0 && number != 0)
    }

    deinit { close(descriptor) }
}
