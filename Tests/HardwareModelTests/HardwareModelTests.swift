import HardwareModel
import Machines
import Testing
import Units

/// A profile in which kind n works at (n + 1) · 100 MB/s.
private func profile(cores: Int = 2) -> HardwareProfile {
    HardwareProfile(
        name: "test",
        measured: HardwareProfile.Provenance(
            machine: "none",
            date: "2026-01-01",
            method: "by hand"
        ),
        cores: cores,
        speeds: HardwareProfile.Speeds { kind in
            Double(WorkKind.allCases.firstIndex(of: kind)! + 1) * 100
        },
        disk: HardwareProfile.Disk(write: 200, fsync: .milliseconds(2), read: nil)
    )
}

// Goal: work costs what the profile says.
// Method: known durations for each kind, sums, rounding.
@Suite struct HardwareProfileTests {
    @Test func everyKindIsChargedItsOwnSpeed() {
        let profile = profile()
        for (index, kind) in WorkKind.allCases.enumerated() {
            let speed = Double(index + 1) * 100
            #expect(profile.speeds[kind] == speed)
            let cost = WorkCost(kind, ByteCount(Int64(speed) * 1_000_000))
            #expect(profile.duration(of: cost) == .seconds(1))
        }
    }

    @Test func partsAddUpAndNothingIsFree() {
        let cost = WorkCost([
            WorkCost.Part(.copy, ByteCount(1_000_000 as Int64)),
            WorkCost.Part(.checksum, ByteCount(1 as Int64)),
            WorkCost.Part(.compare, .zero),
        ])
        // 1 MB at 100 MB/s, then 5 ns for one byte at 200 MB/s.
        #expect(profile().duration(of: cost) == .milliseconds(10) + .nanoseconds(5))
        #expect(profile().duration(of: WorkCost([])) == .zero)
        let odd = WorkCost(.compare, ByteCount(1 as Int64))
        #expect(profile().duration(of: odd) == .nanoseconds(4))
    }

    // Goal: the digest changes with every figure and with nothing else.
    @Test func digestsFollowTheFigures() {
        let original = profile()
        var renamed = original
        renamed.name = "another"
        renamed.measured.date = "2027-01-01"
        #expect(renamed.digest == original.digest)
        var changed = [original, original, original, original]
        changed[0].cores = 3
        changed[1].disk.write = 201
        changed[2].disk.fsync = .milliseconds(3)
        changed[3].disk.read = 100
        for kind in WorkKind.allCases {
            var other = original
            other.speeds = HardwareProfile.Speeds { $0 == kind ? 12345 : original.speeds[$0] }
            changed.append(other)
        }
        #expect(Set(changed.map(\.digest) + [original.digest]).count == changed.count + 1)
    }
}

// Goal: jobs wait for cores in order, and contention shows.
// Method: hand-made schedules.
@Suite struct CoreScheduleTests {
    private func at(_ milliseconds: Int64) -> Instant { .zero + .milliseconds(milliseconds) }

    @Test func freeCoresStartAtOnceAndFullOnesQueue() {
        var schedule = CoreSchedule(cores: 2)
        let slots = [10, 4, 3, 1].map {
            schedule.schedule(ready: at(1), duration: .milliseconds($0))
        }
        #expect(
            slots == [
                CoreSchedule.Slot(core: 0, start: at(1), finish: at(11)),
                CoreSchedule.Slot(core: 1, start: at(1), finish: at(5)),
                CoreSchedule.Slot(core: 1, start: at(5), finish: at(8)),
                CoreSchedule.Slot(core: 1, start: at(8), finish: at(9)),
            ]
        )
        #expect(schedule.busy == .milliseconds(18))
    }

    @Test func idleTimeIsNotUsedUp() {
        var schedule = CoreSchedule(cores: 1)
        _ = schedule.schedule(ready: at(0), duration: .milliseconds(1))
        let slot = schedule.schedule(ready: at(50), duration: .milliseconds(1))
        #expect(slot == CoreSchedule.Slot(core: 0, start: at(50), finish: at(51)))
    }

    @Test func aCrashDropsRunningAndWaitingJobs() {
        var schedule = CoreSchedule(cores: 1)
        _ = schedule.schedule(ready: at(0), duration: .milliseconds(10))
        _ = schedule.schedule(ready: at(0), duration: .milliseconds(10))
        schedule.drop(at: at(4))
        #expect(schedule.busy == .milliseconds(4))
        let slot = schedule.schedule(ready: at(4), duration: .milliseconds(1))
        #expect(slot == CoreSchedule.Slot(core: 0, start: at(4), finish: at(5)))
    }
}

// Goal: batches become durable in order, each after its own writing and sync.
@Suite struct DiskModelTests {
    private func at(_ milliseconds: Int64) -> Instant { .zero + .milliseconds(milliseconds) }

    @Test func batchesAreDurableInOrder() {
        var disk = DiskModel(profile())
        let megabyte = ByteCount(1_000_000 as Int64)
        #expect(disk.persist(megabyte, at: at(0)) == at(7))
        #expect(disk.persist(.zero, at: at(1)) == at(9))
        #expect(disk.persist(megabyte, at: at(20)) == at(27))
        #expect(disk.written == ByteCount(2_000_000 as Int64))
    }

    @Test func aCrashEmptiesTheQueue() {
        var disk = DiskModel(profile())
        let megabyte = ByteCount(1_000_000 as Int64)
        _ = disk.persist(megabyte, at: at(0))
        _ = disk.persist(megabyte, at: at(0))
        disk.drop(at: at(3))
        #expect(disk.persist(.zero, at: at(3)) == at(5))
    }
}
