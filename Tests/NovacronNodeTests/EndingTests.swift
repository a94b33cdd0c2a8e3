import Effects
import Foundation
import Initialization
import RealNodes
import Testing

/// Goal: however and whenever a node ends, the next one starts, and nothing is left or half done.
/// Method: signals at every stage, and SIGKILL right before and after durable steps.
@Suite(.serialized) struct EndingTests {
    @Test(arguments: ["instance-lock", "security.authority", "database"])
    func aSignalDuringTheBootTakesItBack(component: String) throws {
        let daemon = try Daemon()
        let process = try daemon.node.start()
        let isStarting = process.hears { event in
            if case .attemptStarted(component, _) = event { true } else { false }
        }
        #expect(isStarting)
        process.signal(SIGTERM)
        #expect(process.ended() == .exit(0), "\(daemon.node.errors)")
        #expect(!process.endGroup())
        #expect(daemon.node.data.problems() == [])
        let next = try #require(try BootSession(daemon.node).measure())
        #expect(next.problems == [] && next.ready != nil)
    }

    @Test func aClosedTerminalChangesNothing() async throws {
        let daemon = try Daemon()
        try await daemon.whileReady { process in
            process.signal(SIGHUP)
            let status = try await daemon.ask("status")
            #expect(status.code == 0)
        }
    }

    @Test func aSecondSignalEndsTheNodeAtOnce() throws {
        let daemon = try Daemon()
        let process = try daemon.node.start()
        let isReady = process.hears { if case .ready = $0 { true } else { false } }
        #expect(isReady)
        process.signal(SIGINT)
        let isStopping = process.hears { $0 == .stopRequested }
        #expect(isStopping)
        process.signal(SIGTERM)
        // The orderly end may have been quicker.
        let ending = process.ended()
        #expect(ending == .exit(130) || ending == .exit(0))
        #expect(!process.endGroup())
        let next = try #require(try BootSession(daemon.node).measure())
        #expect(next.problems == [] && next.ready != nil)
    }

    @Test(
        arguments: [
            "instance-lock.folder:before", "instance-lock.folder:after", "checkpoint.core:before",
            "ready:before", "ready:after", "stopped:before",
        ]
    )
    func aKilledNodeStartsAgain(point: String) throws {
        let daemon = try Daemon()
        let survival = try BootSession(daemon.node).survive(try #require(CrashPoint(point)))
        let found = try #require(survival)
        #expect(found.crash?.cause == .signal(SIGKILL))
        #expect(found.isSurvived, "\(found.problems) \(found.recovered.problems)")
    }

    @Test func aNodeThatWasKilledWhileReadyIsFoundToBeGone() async throws {
        let daemon = try Daemon()
        let process = try daemon.node.start()
        let isReady = process.hears { if case .ready = $0 { true } else { false } }
        #expect(isReady)
        process.killGroup()
        // What it told of itself is still there, and nobody believes it.
        #expect(FileManager.default.fileExists(atPath: "\(daemon.node.dataPath)/running.json"))
        #expect(try await daemon.ask("status").code == 3)
        #expect(try await daemon.ask("stop").code == 0)
        let next = try #require(try BootSession(daemon.node).measure())
        #expect(next.problems == [] && next.ready != nil)
    }
}
