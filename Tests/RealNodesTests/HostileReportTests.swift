import Effects
import FakeNodes
import Foundation
import Initialization
import RealNodes
import Testing
import Units

/// Goal: whatever a node's process tells, the laboratory goes on and says what was wrong.
/// Method: shell scripts that stand for the node tell times that no clock shows, and too much.
@Suite struct HostileReportTests {
    private static let hostile: [[NodeReport]] = [
        [.started(process: 0, origin: .min)],
        [.started(process: 0, origin: .max)],
        [.lifecycle(LifecycleEvent(time: .distantFuture, kind: .rollbackStarted), cpu: nil)],
        [
            .lifecycle(
                LifecycleEvent(time: Instant(nanoseconds: .min), kind: .rollbackStarted),
                cpu: nil
            )
        ],
        [
            .lifecycle(
                LifecycleEvent(time: .zero, kind: .rollbackStarted),
                cpu: .nanoseconds(.max)
            )
        ],
        [
            .usage(
                ProcessUsage(
                    cpu: .nanoseconds(.min),
                    residentMemory: .zero,
                    peakResidentMemory: .zero,
                    openFiles: 0
                )
            )
        ],
    ]

    @Test(arguments: hostile.indices) func impossibleTimesAreRefused(number: Int) throws {
        let reports = FakeNode.boot.prefix(2) + Self.hostile[number] + FakeNode.boot.dropFirst(2)
        let node = try FakeNode.node(try FakeNode.serve(Array(reports)))
        let measured = try #require(try BootSession(node).measure())
        #expect(measured.ready != nil && measured.outcome == .stopped(left: []))
        #expect(measured.problems.count == 1, "\(measured.problems)")
        #expect(measured.problems[0].hasPrefix("the node told an impossible time"))
    }

    @Test func whoTellsTooMuchIsNotListenedTo() throws {
        let node = try FakeNode.node("yes nonsense | head -n 200000 >&3\nexit 0")
        let measured = try #require(try BootSession(node).measure())
        #expect(measured.ready == nil)
        #expect(measured.failures.contains("the node told more than 100000 lines"))
        #expect(measured.failures.count <= 100_010)
    }
}
