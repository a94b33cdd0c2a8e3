import Effects
import FakeNodes
import Foundation
import Initialization
import Testing
import Units

import RealNodes

/// Goal: what a boot is said to have taken and left behind is what the process did, and no process
/// outlives its session, whatever the node does.
/// Method: shell scripts stand for the node and misbehave in one way each.
@Suite struct BootSessionTests {
    @Test func anOrderlyBootIsMeasuredFromBeforeTheProcess() throws {
        let node = try FakeNode.node(
            try FakeNode.serve()
        )
        let measured = try #require(try BootSession(node).measure())
        #expect(measured.problems == [])
        #expect(measured.graph.map(\.name) == ["first", "second"])
        #expect(measured.steps == ["first.file"])
        #expect(measured.outcome == .stopped(left: []))
        #expect(measured.ending?.cause == .exit(0))
        #expect(measured.usageAtReady?.peakMemory == .kibibytes(64))
        // The script's origin is 0 of the monotonic clock, long before the process began.
        let ready = try #require(measured.ready)
        let first = try #require(measured.events.first)
        #expect(ready < .zero && ready - first.time == .milliseconds(10))
        #expect(measured.events.compactMap(\.cpu).count == measured.events.count)
    }

    @Test func aNodeThatEndsEarlySaysWhy() throws {
        let told = try FakeNode.tell(
            Array(FakeNode.boot.prefix(5)) + [
                FakeNode.event(2, .bootFailed(component: "first", reason: "no disk"), cpu: 1),
                .ended(.failed(component: "first", reason: "no disk", left: [])),
            ]
        )
        let node = try FakeNode.node("\(told)\necho 'the last words' >&2\nexit 3")
        let measured = try #require(try BootSession(node).measure())
        #expect(measured.ready == nil)
        #expect(measured.ending?.cause == .exit(3))
        #expect(
            measured.problems == [
                "first: no disk", "the node ended with code 3: the last words",
            ]
        )
    }

    @Test func aNodeThatNeverBecomesReadyIsEnded() throws {
        let node = try FakeNode.node("trap '' TERM\nwhile :; do sleep 0.01; done")
        var session = BootSession(node)
        session.bootLimit = .milliseconds(50)
        session.stopLimit = .milliseconds(50)
        let measured = try #require(try session.measure())
        #expect(measured.ready == nil && measured.ending == nil)
        #expect(measured.problems.count == 2, "\(measured.problems)")
    }

    @Test func whatIsLeftBehindIsNamed() throws {
        let node = try FakeNode.node(
            """
            printf 'PRIVATE KEY' > $data/open.key; chmod 644 $data/open.key
            printf 'PRIVATE KEY' > $data/closed.key; chmod 600 $data/closed.key
            printf 'half' > $data/.queue.replacing
            printf 'SQLite format 3\\000 and then nothing' > $data/broken.sqlite
            (exec 3>&-; sleep 5) &
            \(try FakeNode.serve(code: 7))
            """
        )
        let measured = try #require(try BootSession(node).measure())
        let problems = measured.problems.joined(separator: "\n")
        #expect(problems.contains("the node ended with code 7"))
        #expect(problems.contains("processes of the node's group are left"))
        #expect(problems.contains("open.key is a key and has permissions 644"))
        #expect(!problems.contains("closed.key"))
        #expect(problems.contains(".queue.replacing was left half replaced"))
        #expect(problems.contains("broken.sqlite"))
    }

    @Test func garbageIsAProblem() throws {
        let node = try FakeNode.node(
            "echo what >&3\n\(try FakeNode.serve())"
        )
        let measured = try #require(try BootSession(node).measure())
        #expect(measured.problems == ["the node told garbage: what"])
        #expect(measured.ready != nil)
    }

    @Test func aCancelledSessionLeavesNoProcess() throws {
        let node = try FakeNode.node("echo $$ > $data/pid\nwhile :; do sleep 0.01; done")
        let pidPath = "\(node.dataPath)/pid"
        let measured = try BootSession(
            node,
            isCancelled: { (try? String(contentsOfFile: pidPath, encoding: .utf8))?.last == "\n" }
        ).measure()
        #expect(measured == nil)
        let text = try String(contentsOfFile: pidPath, encoding: .utf8)
        let pid = try #require(Int32(text.dropLast()))
        #expect(kill(pid, 0) != 0 && errno == ESRCH)
    }

    @Test func aCrashIsSurvivedOnlyByARecovery() throws {
        let crashing = """
            for word in "$@"; do
              if [ "$word" = --crash-at ]; then kill -9 $$; fi
            done
            """
        let point = CrashPoint(step: "first.file", side: .before)
        let good = try FakeNode.node(
            "\(crashing)\n\(try FakeNode.serve())"
        )
        let survival = try #require(try BootSession(good).survive(point))
        #expect(survival.isSurvived && survival.crash?.cause == .signal(SIGKILL))
        let immune = try FakeNode.node(
            try FakeNode.serve()
        )
        let missed = try #require(try BootSession(immune).survive(point))
        #expect(!missed.isSurvived)
        #expect(
            missed.problems == [
                "the node was to be killed at first.file:before, but ended with code 0"
            ]
        )
        let broken = try FakeNode.node("\(crashing)\nexit 1")
        let unrecovered = try #require(try BootSession(broken).survive(point))
        #expect(!unrecovered.isSurvived)
        #expect(unrecovered.problems == ["it was not READY after the crash"])
    }

    @Test func aProgramThatIsMissingIsAnError() throws {
        let node = try RealNode(program: ["/nowhere/novacron-node"])
        #expect(throws: RealNodeError.self) { try BootSession(node).measure() }
    }

    /// Method: this process listens and locks; lines of `/proc` as they were seen.
    @Test func socketsAndLocksAreSeen() throws {
        let tcp =
            "   0: 0100007F:1CEB 00000000:0000 0A 00000000:00000000 00:00000000 00000000 0 0 4242 1"
        #expect(
            ListeningSocket(family: "tcp", line: tcp).map { [Int($0.port), Int($0.inode)] }
                == [7403, 4242]
        )
        let connected = tcp.replacing(" 0A ", with: " 01 ")
        #expect(ListeningSocket(family: "tcp", line: connected) == nil)
        #expect(ListeningSocket(family: "tcp", line: "sl local_address rem_address") == nil)
        let lock = "1: FLOCK  ADVISORY  WRITE 4711 08:01:123456 0 EOF"
        #expect(FileLocks.inode(ofLine: lock) == 123456)
        #expect(FileLocks.inode(ofLine: "nonsense") == nil)

        let node = try RealNode(program: ["/bin/true"])
        let path = "\(node.folder)/lock"
        let descriptor = open(path, O_RDWR | O_CREAT, 0o600)
        defer { close(descriptor) }
        #expect(FileLocks.held(below: node.folder) == [])
        try #require(flock(descriptor, LOCK_EX) == 0)
        #expect(FileLocks.held(below: node.folder) == [path])

        let socket = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        try #require(listen(socket, 1) == 0)
        let found = ListeningSocket.all(of: getpid())
        #expect(found.contains { $0.family == "tcp" })
        close(socket)
        #expect(ListeningSocket.remaining(of: found).count < found.count)
    }
}
