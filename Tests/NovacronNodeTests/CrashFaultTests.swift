import Effects
import Foundation
import Initialization
import RealNodes
import Testing

/// Goal: whenever a node is killed, stopped or paused, the next start is sound and is the same node.
/// Method: the built daemon, killed at every durable step that a life has, stopped and paused at many
/// moments of its boot.
@Suite struct CrashFaultTests {
    /// Method: one whole life tells the steps; then each side of each is a crash in a new folder. A
    /// second sweep does so in the folder of an earlier life.
    @Test(arguments: [false, true]) func everyStepIsSurvived(isWarm: Bool) throws {
        let first = isWarm ? try Daemon.lived() : try Daemon()
        let life = try #require(try BootSession(first.node).measure())
        let points = life.steps.flatMap { step in
            CrashPoint.Side.allCases.map { CrashPoint(step: step, side: $0) }
        }
        #expect(points.count >= (isWarm ? 12 : 24))
        for point in points {
            let daemon = isWarm ? try Daemon.lived() : try Daemon()
            let before = daemon.node.data.authority
            let survival = try #require(try BootSession(daemon.node).survive(point))
            #expect(
                survival.isSurvived,
                "\(point): \(survival.problems + survival.recovered.problems)"
            )
            #expect(survival.keepsIdentity, "\(point)")
            #expect(before == nil || survival.authority == before, "\(point)")
        }
    }

    /// Method: SIGTERM some milliseconds after the start, so that it meets the boot anywhere.
    @Test(arguments: [1, 5, 10, 14, 18, 20, 22, 24, 26, 28, 30, 35])
    func aSignalAtAnyMomentEndsInOrder(milliseconds: UInt32) throws {
        let daemon = try Daemon()
        let process = try daemon.node.start()
        usleep(milliseconds * 1_000)
        process.signal(SIGTERM)
        let ending = process.ended()
        // Before the program has taken the signal over, it ends as every program does.
        #expect(ending == .exit(0) || ending == .signal(SIGTERM), "\(daemon.node.errors)")
        #expect(!process.endGroup())
        #expect(daemon.node.data.problems() == [])
        try Fault(daemon).expectReady()
    }

    /// Method: SIGKILL likewise.
    @Test(arguments: [4, 12, 18, 21, 24, 27, 30, 34])
    func aKillAtAnyMomentIsSurvived(milliseconds: UInt32) throws {
        let daemon = try Daemon()
        let process = try daemon.node.start()
        usleep(milliseconds * 1_000)
        process.killGroup()
        try Fault(daemon).expectReady()
    }

    @Test(arguments: ["configuration", "database", "network.control"])
    func aPauseDuringTheBootChangesNothing(component: String) throws {
        let daemon = try Daemon()
        let process = try daemon.node.start()
        let isStarting = process.hears { event in
            if case .attemptStarted(component, _) = event { true } else { false }
        }
        #expect(isStarting)
        process.signal(SIGSTOP)
        usleep(30_000)
        process.signal(SIGCONT)
        let isReady = process.hears { if case .ready = $0 { true } else { false } }
        #expect(isReady, "\(daemon.node.errors)")
        process.signal(SIGTERM)
        #expect(process.ended() == .exit(0))
        #expect(daemon.node.data.problems() == [])
    }
}
