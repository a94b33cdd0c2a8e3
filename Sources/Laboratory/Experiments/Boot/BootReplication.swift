import Determinism
import FaultInjection
import Foundation
import HardwareModel
import Initialization
public import Measurements
import Scenarios
import SimulatedEffects
import SimulationKernel
public import Units

/// Runs one replication of the workload kind `boot` under virtual time: the real lifecycle of every
/// node on one `VirtualExecutor`, with modelled disks, processors and services.
public struct BootReplication {
    private let setting: ReplicationSetting
    private let workload: Scenario.BootWorkload
    private let commit: String
    private let limit: Instant
    /// Jobs between two looks at the cancellation source.
    private static let stride = 4096
    /// More checkpoints than these are thinned out.
    private static let checkpointLimit = 600

    /// - Parameter until: Stops there, before the run's own end; for replays.
    public init(_ setting: ReplicationSetting, commit: String, until: Instant? = nil) {
        guard case .boot(let workload) = setting.scenario.workload else {
            preconditionFailure("boots of kind \(setting.scenario.workload.kind)")
        }
        self.setting = setting
        self.workload = workload
        self.commit = commit
        limit = min(.zero + setting.scenario.horizon, until ?? .distantFuture)
    }

    /// Runs until all nodes are READY with everything loaded, or have failed, or to the deadline.
    ///
    /// - Parameter isCancelled: Asked now and then; the record says `interrupted` once it was true.
    public func run(isCancelled: @escaping () -> Bool = { false }) -> RunRecord {
        let began = ContinuousClock.now
        let world = BootWorld(setting, workload)
        var record = RunRecord(key: key, commit: commit)
        let sweep: CrashSweep?
        switch workload.crashPoints {
        case .none:
            sweep = nil
            world.addNodes()
        case .everyStep, .everyDiskOperation:
            sweep = CrashSweep(world)
            sweep?.begin()
        }
        let worked = ThreadTime.seconds
        record.outcome = drive(world, into: &record, isCancelled)
        record.kernelSeconds = ThreadTime.seconds - worked
        record.fingerprint = world.executor.fingerprint.description
        record.events = world.executor.jobCount
        record.simulatedSeconds = world.executor.now.seconds
        record.faults = world.faults.records(in: setting.scenario.topology)
        world.figures.write(into: &record)
        sweep?.write(into: &record)
        record.series += world.series
        record.facts += world.facts
        record.peakMemoryBytes = peakMemory()
        record.realSeconds = (ContinuousClock.now - began) / .seconds(1)
        return record
    }

    private var key: RunKey {
        RunKey(
            scenario: setting.scenario.name,
            scenarioDigest: setting.scenario.digest,
            variant: setting.variant.name,
            seed: setting.seed,
            environment: .simulated
        )
    }

    /// Alternates between jobs, faults and wake-ups until nobody boots any more.
    private func drive(
        _ world: BootWorld,
        into record: inout RunRecord,
        _ isCancelled: () -> Bool
    ) -> RunOutcome {
        let executor = world.executor
        var changes = world.faults.timeline[...]
        var nextCheckpoint = Interval.seconds(1)
        var spacing = Interval.seconds(1)
        while true {
            executor.drain(limit: BootReplication.stride)
            if isCancelled() { return .interrupted }
            if executor.hasReadyJobs { continue }
            if world.isFinished { return .completed }
            let wake = min(
                executor.nextWake ?? .distantFuture,
                changes.first?.time ?? .distantFuture
            )
            guard wake < Instant.distantFuture else {
                return .failed(message: "the boots stalled at \(executor.now): nothing can happen")
            }
            guard wake <= limit else {
                executor.advance(to: limit)
                return .truncated(reason: "not finished after \(limit - Instant.zero)")
            }
            while Instant.zero + nextCheckpoint < wake {
                let text = executor.fingerprint.description
                record.checkpoints.append(
                    Checkpoint(time: Instant.zero + nextCheckpoint, fingerprint: text)
                )
                nextCheckpoint += spacing
                if record.checkpoints.count >= BootReplication.checkpointLimit {
                    record.checkpoints = Swift.stride(from: 1, to: record.checkpoints.count, by: 2)
                        .map { record.checkpoints[$0] }
                    spacing = spacing * 2
                }
            }
            if let change = changes.first, change.time <= (executor.nextWake ?? .distantFuture) {
                executor.advance(to: change.time)
                world.apply(change)
                changes = changes.dropFirst()
            } else {
                executor.advance(to: wake)
            }
        }
    }
}
