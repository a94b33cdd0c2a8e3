import Determinism
import SimulationKernel
import Testing
import Units

/// Goal: models are told at their times, between sleepers, and can change their minds.
/// Method: a target that notes when it rings, under a driver that does not meet the times.
@Suite struct AlarmTests {
    /// Notes what rings; can set further alarms.
    final class Bell: AlarmTarget, @unchecked Sendable {
        let executor: VirtualExecutor
        var heard: [String] = []
        var follow: (() -> Void)?

        init(_ executor: VirtualExecutor) {
            self.executor = executor
        }

        func ring(_ number: UInt32) {
            heard.append("\(executor.now) \(number)")
            let next = follow
            follow = nil
            next?()
        }
    }

    @Test func alarmsRingAtTheirTimes() throws {
        let executor = VirtualExecutor(seed: 1)
        let bell = Bell(executor)
        let late = executor.setAlarm(at: .zero + .seconds(9), for: bell, number: 9)
        _ = executor.setAlarm(at: .zero + .seconds(2), for: bell, number: 2)
        let gone = executor.setAlarm(at: .zero + .seconds(1), for: bell, number: 1)
        #expect(executor.cancelAlarm(gone))
        #expect(!executor.cancelAlarm(gone))
        #expect(executor.nextWake == .zero + .seconds(2))
        bell.follow = {
            // One for now, one that is past, one on the way.
            for (time, number) in [(2, 20), (1, 21), (3, 30)] as [(Int64, UInt32)] {
                _ = executor.setAlarm(at: .zero + .seconds(time), for: bell, number: number)
            }
        }
        executor.advance(to: .zero + .seconds(5))
        #expect(bell.heard == ["2 s 2", "2 s 20", "2 s 21", "3 s 30"])
        #expect(executor.now == .zero + .seconds(5))
        #expect(executor.cancelAlarm(late))
        #expect(executor.nextWake == nil)
    }

    @Test func alarmsAndSleepersShareTheQueue() throws {
        let executor = VirtualExecutor(seed: 2)
        let bell = Bell(executor)
        let end = try executor.run {
            _ = executor.setAlarm(at: .zero + .seconds(1), for: bell)
            try? await executor.sleep(until: .zero + .seconds(1))
            _ = executor.setAlarm(at: .zero + .seconds(3), for: bell)
            try? await executor.sleep(until: .zero + .seconds(2))
            return executor.now
        }
        #expect(end == .zero + .seconds(2))
        #expect(bell.heard == ["1 s 0"])
        // A token of the past does not hit whoever took its place.
        let old = executor.setAlarm(at: .zero + .seconds(2), for: bell, number: 7)
        executor.advance(to: .zero + .seconds(2))
        let new = executor.setAlarm(at: .zero + .seconds(4), for: bell, number: 8)
        #expect(!executor.cancelAlarm(old))
        executor.advance(to: .zero + .seconds(4))
        #expect(bell.heard == ["1 s 0", "2 s 7", "3 s 0", "4 s 8"])
        #expect(!executor.cancelAlarm(new))
    }
}
