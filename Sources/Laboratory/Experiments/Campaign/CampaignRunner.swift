public import Judging
public import Measurements
public import Scenarios
import Synchronization
public import Units

/// Runs the replications that a scenario asks for and judges them.
///
/// Variants × seeds, seeds first, so that every variant meets the same network. Replications are
/// added in batches until the judge is content, the scenario's maximum is reached or its wall budget
/// is spent; which replications run never depends on how many workers there are.
public struct CampaignRunner: Sendable {
    private let plan: CampaignPlan
    private let workers: Int
    private let replicate:
        @Sendable (ReplicationSetting, _ isCancelled: @escaping () -> Bool)
            throws -> RunRecord

    /// - Parameters:
    ///   - workers: Replications at a time; at least one.
    ///   - replicate: Runs one replication.
    public init(
        _ plan: CampaignPlan,
        workers: Int,
        replicate:
            @escaping @Sendable (ReplicationSetting, _ isCancelled: @escaping () -> Bool)
            throws -> RunRecord
    ) {
        precondition(workers > 0, "\(workers) workers")
        self.plan = plan
        self.workers = workers
        self.replicate = replicate
    }

    /// Runs what is not there yet and judges everything.
    ///
    /// - Parameters:
    ///   - finished: Replications that an earlier, interrupted campaign left in the archive.
    ///   - listener: Hears of every replication; `keep` is called once for each new record, by one
    ///     thread at a time, and may throw to end the campaign.
    ///   - isInterrupted: Asked often; finished replications are kept when it becomes true.
    public func run(
        resuming finished: [RunRecord] = [],
        listener: some CampaignListener,
        isInterrupted: @escaping @Sendable () -> Bool
    ) async throws -> CampaignResult {
        let began = ContinuousClock.now
        let budget = began.advanced(by: .nanoseconds(plan.wall.nanoseconds))
        let archived = Dictionary(
            finished.map { (Place($0), $0) },
            uniquingKeysWith: { first, _ in first }
        )
        var records: [RunRecord] = []
        // Two tell whether anything varies at all; if nothing does, they suffice.
        var wanted = min(2, plan.replications.maximum)
        var isSpent = false
        while true {
            // Archived replications join with the batch that asks for them, so that what is in the
            // archive never changes which replications are judged.
            let batch = plan.settings(count: wanted).dropFirst(records.count)
            records += batch.compactMap { archived[Place($0)] }
            let missing = batch.filter { archived[Place($0)] == nil }
            listener.planned(done: records.count, total: records.count + missing.count)
            records += try await run(missing, listener: listener) {
                isInterrupted() || ContinuousClock.now >= budget
            }
            if isInterrupted() { return result(records, nil, isInterrupted: true) }
            isSpent = ContinuousClock.now >= budget
            let more = replicationsWanted(after: wanted, records)
            guard !isSpent, more > 0, wanted < plan.replications.maximum else { break }
            wanted = min(plan.replications.maximum, wanted + more)
        }
        let check = isSpent ? nil : try await repeated(records, listener, isInterrupted)
        return result(records, check, isInterrupted: isInterrupted())
    }

    /// How many more seeds the judge wants; real runs vary even where no target is judged, so a
    /// campaign on sockets always has the scenario's minimum.
    private func replicationsWanted(after done: Int, _ records: [RunRecord]) -> Int {
        let wished = Judge().replicationsWanted(plan.campaign(records, nil))
        switch plan.environment {
        case .simulated: return wished
        case .sockets, .rdma: return max(wished, plan.replications.minimum - done)
        }
    }

    private func result(
        _ records: [RunRecord],
        _ check: DeterminismCheck?,
        isInterrupted: Bool
    ) -> CampaignResult {
        let campaign = plan.campaign(records, check)
        return CampaignResult(
            campaign: campaign,
            judgement: Judge().judge(campaign),
            isInterrupted: isInterrupted
        )
    }

    /// Runs settings on all workers; those that were cancelled are left out. When one cannot run or
    /// be kept, the others are cancelled.
    private func run(
        _ settings: [ReplicationSetting],
        listener: some CampaignListener,
        isCancelled: @escaping @Sendable () -> Bool
    ) async throws -> [RunRecord] {
        var records: [RunRecord] = []
        let isFailed = Flag()
        let isCancelled = { @Sendable in isFailed.isRaised || isCancelled() }
        try await withThrowingTaskGroup(of: RunRecord?.self) { group in
            var next = settings.startIndex
            func startNext() {
                guard next < settings.endIndex, !isCancelled() else { return }
                let setting = settings[next]
                next += 1
                group.addTask {
                    listener.started(setting.variant.name, setting.seed)
                    let record = try replicate(setting, isCancelled)
                    return record.outcome == .interrupted ? nil : record
                }
            }
            for _ in 0..<workers { startNext() }
            do {
                while let record = try await group.next() {
                    // First, so that no worker waits while the archive writes.
                    startNext()
                    if let record {
                        try listener.keep(record)
                        records.append(record)
                    }
                }
            } catch {
                isFailed.raise()
                throw error
            }
        }
        return records
    }

    /// Runs the first seed of every variant again and compares; only a simulation can be repeated.
    private func repeated(
        _ records: [RunRecord],
        _ listener: some CampaignListener,
        _ isInterrupted: @escaping @Sendable () -> Bool
    ) async throws -> DeterminismCheck? {
        guard plan.environment == .simulated else { return nil }
        let silent = SilentListener()
        listener.repeating()
        let again = try await run(
            plan.settings(count: 1),
            listener: silent,
            isCancelled: isInterrupted
        )
        var equal = 0
        var difference: String?
        for second in again.sorted(by: { $0.key.variant < $1.key.variant }) {
            guard let first = records.first(where: { $0.key == second.key }) else { continue }
            if first.fingerprint == second.fingerprint {
                equal += 1
            } else {
                difference = difference ?? CampaignRunner.difference(first, second)
            }
        }
        return DeterminismCheck(compared: again.count, equal: equal, firstDifference: difference)
    }

    private static func difference(_ first: RunRecord, _ second: RunRecord) -> String {
        let checkpoint = zip(first.checkpoints, second.checkpoints)
            .first { $0.0.fingerprint != $0.1.fingerprint }
        let place = checkpoint.map { "before \($0.0.time)" } ?? "after the last checkpoint"
        return "variant \(first.key.variant), seed \(first.key.seed): the runs differ \(place)"
    }
}

/// What a campaign is to run.
public struct CampaignPlan: Sendable {
    public var scenario: Scenario
    public var environment: EnvironmentKind
    /// Variants to run, in scenario order.
    public var variants: [Scenario.Variant]
    public var replications: Budget.Replications
    /// Real time for the campaign.
    public var wall: Interval
    /// Everything about a replication but its variant and seed.
    public var common: ReplicationSetting
    /// Whether the links are calibrated; `nil` where that decides nothing.
    public var envelope: EnvelopeFinding?

    public init(_ common: ReplicationSetting, environment: EnvironmentKind) {
        scenario = common.scenario
        self.environment = environment
        variants = scenario.variants
        replications = scenario.budget.replications
        wall = scenario.budget.wall
        self.common = common
    }

    /// The first `count` seeds of every variant, seeds first.
    func settings(count: Int) -> [ReplicationSetting] {
        (0..<count).flatMap { index in
            variants.map { variant in
                var setting = common
                setting.variant = variant
                setting.seed = scenario.seed &+ UInt64(index)
                return setting
            }
        }
    }

    /// The replications in the order of `settings`, whichever worker finished first.
    func campaign(_ records: [RunRecord], _ check: DeterminismCheck?) -> Campaign {
        func place(_ record: RunRecord) -> (seed: UInt64, variant: Int) {
            let variant = variants.firstIndex { $0.name == record.key.variant }
            return (record.key.seed &- scenario.seed, variant ?? variants.count)
        }
        let runs = records.sorted { place($0) < place($1) }
        var campaign = Campaign(
            scenario,
            environment: environment,
            runs: runs,
            determinism: check
        )
        campaign.envelope = envelope
        return campaign
    }
}

/// Which replication of a plan: its variant and seed.
private struct Place: Hashable {
    let variant: String
    let seed: UInt64

    init(_ setting: ReplicationSetting) {
        variant = setting.variant.name
        seed = setting.seed
    }

    init(_ record: RunRecord) {
        variant = record.key.variant
        seed = record.key.seed
    }
}

/// Raised once, seen by every worker.
private final class Flag: Sendable {
    private let value = Atomic<Bool>(false)

    var isRaised: Bool { value.load(ordering: .relaxed) }

    func raise() { value.store(true, ordering: .relaxed) }
}

/// What a campaign came to.
public struct CampaignResult: Sendable {
    public let campaign: Campaign
    public let judgement: Judgement
    /// Whether it was stopped before it had what it wanted.
    public let isInterrupted: Bool
}

/// Follows a campaign; all calls may come from different threads, `keep` one at a time.
public protocol CampaignListener: Sendable {
    func planned(done: Int, total: Int)
    func started(_ variant: String, _ seed: UInt64)
    /// A replication is finished; what is kept here survives whatever happens to the others.
    func keep(_ record: RunRecord) throws
    /// The first seeds run again, to compare fingerprints.
    func repeating()
}

/// For repetitions, which are compared and not kept.
private struct SilentListener: CampaignListener {
    func planned(done: Int, total: Int) {}
    func started(_ variant: String, _ seed: UInt64) {}
    func keep(_ record: RunRecord) throws {}
    func repeating() {}
}
