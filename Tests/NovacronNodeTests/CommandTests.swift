import Foundation
import RealNodes
import Testing

/// Goal: every command does what its help says, and ends with the code that the help lists.
/// Method: the built program, with and without a node that runs.
@Suite(.serialized) struct CommandTests {
    @Test(arguments: ["start", "check", "status", "stop"])
    func helpHasExamplesAndCodes(verb: String) async throws {
        let ending = try await Daemon.run([verb, "--help"])
        #expect(ending.code == 0)
        #expect(ending.output.contains("novacron-node \(verb)"))
        #expect(ending.output.contains("Exit codes: 0"))
    }

    @Test(
        arguments: [
            ["start", "--fast"], ["restart"], ["start", "--foreground", "--crash-at", "nowhere"],
            ["start", "--crash-at", "ready:before"], ["stop", "--timeout", "-1"],
            ["start", "--foreground", "--events", "99"],
        ]
    )
    func wrongUsageIs64(arguments: [String]) async throws {
        #expect(try await Daemon.run(arguments).code == 64)
    }

    @Test func withoutANodeStatusIs3AndStopHasNothingToDo() async throws {
        let daemon = try Daemon()
        let status = try await daemon.ask("status")
        #expect(status.code == 3 && status.output.contains("no node runs"))
        let json = try await daemon.ask("status", ["--json"])
        #expect(json.code == 3 && json.output.contains(#""stage":"not running""#))
        #expect(try await daemon.ask("stop").code == 0)
        #expect(!FileManager.default.fileExists(atPath: daemon.node.dataPath))
    }

    @Test func aNodeInTheBackgroundIsStartedAskedAndStopped() async throws {
        let daemon = try Daemon()
        let started = try await daemon.ask("start")
        #expect(started.code == 0, "\(started.errors)")
        #expect(started.output.contains("READY"))
        let text = try await daemon.ask("status")
        #expect(text.code == 0 && text.output.contains("ready"), "\(text.output)")
        let json = try await daemon.ask("status", ["--json"])
        let status = try #require(
            try JSONSerialization.jsonObject(with: Data(json.output.utf8)) as? [String: Any]
        )
        #expect(status["stage"] as? String == "ready")
        let process = try #require(status["pid"] as? Int32)
        let again = try await daemon.ask("start")
        #expect(again.code == 69 && again.errors.contains("process \(process)"))
        let stopped = try await daemon.ask("stop")
        #expect(stopped.code == 0 && stopped.output.contains("\(process) has ended"))
        #expect(!isRunning(process))
        #expect(try await daemon.ask("status").code == 3)
        #expect(daemon.node.data.problems() == [])
        let log = try String(
            contentsOfFile: "\(daemon.node.dataPath)/novacron.log",
            encoding: .utf8
        )
        for line in log.split(separator: "\n") {
            #expect(throws: Never.self) { try JSONSerialization.jsonObject(with: Data(line.utf8)) }
        }
    }

    /// One that nobody has waited for has ended, too.
    private func isRunning(_ process: Int32) -> Bool {
        let state = try? String(contentsOfFile: "/proc/\(process)/stat", encoding: .utf8)
        return state.map { !$0.contains(") Z ") } ?? false
    }

    @Test func theServiceManagerIsTold() async throws {
        let daemon = try Daemon()
        let path = "\(daemon.node.folder)/notify"
        let socket = try NotifySocket(path)
        try await daemon.whileReady(variables: ["NOTIFY_SOCKET=\(path)"]) { _ in
            #expect(socket.hears("READY=1"))
        }
        #expect(socket.hears("STOPPING=1"))
    }
}

/// The end of systemd's socket.
private final class NotifySocket {
    private let descriptor: Int32

    init(_ path: String) throws {
        descriptor = socket(
            AF_UNIX,
            Int32(SOCK_DGRAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue),
            0
        )
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: Array(path.utf8)) }
        let size = socklen_t(MemoryLayout<sockaddr_un>.size)
        let code = withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(descriptor, $0, size)
            }
        }
        try #require(code == 0)
        var wait = timeval(tv_sec: 20, tv_usec: 0)
        let length = socklen_t(MemoryLayout<timeval>.size)
        setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &wait, length)
    }

    deinit { close(descriptor) }

    /// Reads messages until one has a line like this.
    func hears(_ line: String) -> Bool {
        var buffer = [UInt8](repeating: 0, count: 4096)
        for _ in 0..<100 {
            let count = recv(descriptor, &buffer, buffer.count, 0)
            guard count > 0 else { return false }
            let text = String(decoding: buffer[..<count], as: UTF8.self)
            if text.split(separator: "\n").contains(Substring(line)) { return true }
        }
        return false
    }
}
