import Determinism
import FaultInjection
public import Measurements
import Scenarios
import Synchronization
import Units

/// Makes a failing seed small: fewer faults, fewer nodes, fewer operations, less time, as long as the
/// run fails with the same signature.
///
/// First the run is cut at its violation, which makes every further run shorter. Then faults are
/// reduced by delta debugging (``DeltaDebugging``), then nodes and operations, then the time again; what
/// became smaller gives faults a second chance. A failure that needs a coincidence hardly ever comes by the
/// same time with other faults: where the first runs leave most of them, the whole run is reduced
/// instead, in which it may come later. Where parts that were cut one by one leave more than a tenth, others are
/// drawn. Every step is a whole run; nothing is assumed.
public struct Shrinker: Sendable {
    private let setting: ReplicationSetting
    private let pool: SeedPool
    private let isInterrupted: @Sendable () -> Bool
    private let listener: any ShrinkListener

    /// - Parameters:
    ///   - setting: The failing replication.
    ///   - isInterrupted: Asked often; the best so far is kept when it becomes true.
    public init(
        _ setting: ReplicationSetting,
        jobs: Int,
        listener: any ShrinkListener,
        run: @escaping SeedRun,
        isInterrupted: @escaping @Sendable () -> Bool
    ) {
        self.setting = setting
        self.listener = listener
        self.isInterrupted = isInterrupted
        pool = SeedPool(jobs: jobs, run: run)
    }

    /// Makes the failure `original` small. `plan` is what the whole run carried out.
    public func shrink(_ original: SeedAnswer) throws -> ShrinkOutcome {
        guard let signature = original.result.signature else {
            preconditionFailure("seed \(original.result.seed) does not fail")
        }
        let planned = setting.faultPlan.faults
        var search = ShrinkSearch(
            signature: signature,
            best: original,
            all: Shrinker.names(of: planned),
            fired: planned
        )
        do {
            try cutTime(&search)
            do {
                try reduceFaults(&search, patience: Shrinker.patience)
            } catch is Stubbornness {
                var whole = search
                whole.best = original
                whole.reduction = .none
                defer {
                    let isSmaller = whole.faultCount < search.faultCount
                    search = isSmaller ? whole : search.after(whole)
                }
                try reduceFaults(&whole)
                try cutTime(&whole)
                try reduceFaults(&whole)
            }
            try reduceRest(&search)
            if try drawFaults(&search) { try reduceRest(&search) }
        } catch is Interruption {}
        return ShrinkOutcome(
            signature: signature,
            reduction: search.reduction,
            answer: search.best,
            faultsBefore: planned.count,
            runs: search.runs,
            isInterrupted: isInterrupted()
        )
    }

    /// Each name once, in the order of the plan: an occurrence may have several parts.
    static func names(of faults: [PlannedFault]) -> [PlannedFault.Name] {
        var seen: Set<PlannedFault.Name> = []
        return faults.map(\.name).filter { seen.insert($0).inserted }
    }

    /// The end was asked for; what was found so far counts.
    private struct Interruption: Error {}
    /// So many runs have left more than a quarter of the faults.
    private struct Stubbornness: Error {}
    private static let patience = 100

    // MARK: - Steps

    /// Stops the run where it first failed, or as soon after as it still does.
    private func cutTime(_ search: inout ShrinkSearch) throws {
        // What did not happen in time, or did not end, needs its time.
        guard search.signature.kind == .safety, let failed = search.best.result.failedAt else {
            return
        }
        let end = search.reduction.until ?? .zero + setting.scenario.horizon
        // Whole milliseconds read better; the violation is then still within.
        let nanoseconds = failed.nanoseconds
        let rounded = Instant(nanoseconds: (nanoseconds + 999_999) / 1_000_000 * 1_000_000)
        guard rounded < end else { return }
        var times = [rounded]
        // Checks at the end of a run may want more than the moment that they complain about.
        for part in [Int64(16), 4, 2] { times.append(rounded + (end - rounded) / part) }
        let candidates = times.filter { $0 < end }.map { time in
            var reduction = search.reduction
            reduction.until = time
            // What strikes later cannot matter.
            let names = search.names(before: time)
            reduction.faults = names
            return reduction
        }
        _ = try adopt(candidates, &search)
    }

    /// - Parameter patience: Gives up after so many runs that leave more than a quarter.
    private func reduceFaults(_ search: inout ShrinkSearch, patience: Int? = nil) throws {
        let base = search.reduction
        let names = base.faults ?? search.all
        let limit = patience.map { search.runs + $0 }
        // The search hands candidates over and is changed by what they give.
        let shared = Mutex(search)
        defer { search = shared.withLock { $0 } }
        var debugging = DeltaDebugging<PlannedFault.Name>(firstFailing: { sets in
            let candidates = sets.map { set in
                var reduction = base
                reduction.faults = set
                return reduction
            }
            var current = shared.withLock { $0 }
            defer { shared.withLock { $0 = current } }
            if let limit, current.runs >= limit, current.faultCount * 4 > names.count {
                throw Stubbornness()
            }
            return try self.adopt(candidates, &current)
        })
        _ = try debugging.minimum(of: names)
    }

    /// Draws parts of the faults until a tenth is left, or none of the drawn ones fails; whether any did.
    ///
    /// A failure that needs a coincidence may come with many small sets, each time with a small probability;
    /// delta debugging, which goes on from the only neighbours of a set, ends where none of these fails.
    private func drawFaults(_ search: inout ShrinkSearch) throws -> Bool {
        var random = SeededRandom(
            seed: setting.seed,
            entity: EntityID(.experiment, 0),
            purpose: "shrinking: parts of the faults"
        )
        var isSmaller = false
        while search.faultCount * 10 > search.all.count {
            let base = search.reduction
            let names = base.faults ?? search.all
            var drawn: [[PlannedFault.Name]] = []
            for share in Shrinker.drawnShares {
                let count = names.count / share
                // Delta debugging has tried each alone.
                guard count > 1 else { continue }
                for _ in 0..<Shrinker.drawsOfShare {
                    let kept = Set(names.indices.shuffled(using: &random).prefix(count))
                    let part = names.indices.filter(kept.contains).map { names[$0] }
                    if !drawn.contains(part) { drawn.append(part) }
                }
            }
            let candidates = drawn.map { part in
                var reduction = base
                reduction.faults = part
                return reduction
            }
            guard try adopt(candidates, &search) != nil else { break }
            isSmaller = true
            try cutTime(&search)
            try reduceFaults(&search)
        }
        return isSmaller
    }

    /// An eighth of what is left, a quarter, a half.
    private static let drawnShares = [8, 4, 2]
    private static let drawsOfShare = 20

    /// Nodes, operations and time; what became smaller gives faults a second chance.
    private func reduceRest(_ search: inout ShrinkSearch) throws {
        let before = search.reduction
        try reduceNodes(&search)
        try reduceOperations(&search)
        try cutTime(&search)
        if search.reduction != before { try reduceFaults(&search) }
    }

    /// Fewer nodes in each region, the last region first: as few as possible at once, then one by one.
    private func reduceNodes(_ search: inout ShrinkSearch) throws {
        for region in setting.scenario.topology.regions.reversed() {
            try descend(from: region.nodes, &search) { count, reduction in
                reduction.setting(nodes: count, of: region.name)
            }
        }
    }

    private func reduceOperations(_ search: inout ShrinkSearch) throws {
        guard let operations = setting.scenario.workload.operations else { return }
        try descend(from: operations, &search) { count, reduction in
            var reduction = reduction
            reduction.operations = count
            return reduction
        }
    }

    /// Looks for a smaller number: 1, an eighth, a half, three quarters, one less, until none of them
    /// fails; each success shrinks the number, so the steps are few.
    private func descend(
        from start: Int,
        _ search: inout ShrinkSearch,
        _ change: (Int, Reduction) -> Reduction
    ) throws {
        var count = start
        while count > 1 {
            var counts: [Int] = []
            for smaller in [1, count / 8, count / 2, count * 3 / 4, count - 1]
            where smaller >= 1 && smaller < count && !counts.contains(smaller) {
                counts.append(smaller)
            }
            let base = search.reduction
            guard let found = try adopt(counts.map { change($0, base) }, &search) else { return }
            count = counts[found]
        }
    }

    // MARK: - Runs

    /// Tries candidates, several at a time, and goes on with the first that fails in the same way.
    private func adopt(_ candidates: [Reduction], _ search: inout ShrinkSearch) throws -> Int? {
        guard !candidates.isEmpty else { return nil }
        let signature = search.signature
        let answers = Mutex<[Int: SeedAnswer]>([:])
        try pool.perform(
            candidates.map { reduction in
                SeedOrder(
                    variant: setting.variant.name,
                    seed: setting.seed,
                    reduction: reduction,
                    tellsFaults: true
                )
            },
            isCancelled: isInterrupted
        ) { index, answer in
            answers.withLock { $0[index] = answer }
            return !answer.fails(with: signature)
        }
        let known = answers.withLock { $0 }
        search.runs += known.values.count { $0.refusal == nil }
        let found = candidates.indices.first { known[$0]?.fails(with: signature) ?? false }
        // A later candidate may have failed while an earlier one was cut off by the interruption.
        if isInterrupted() { throw Interruption() }
        if let found, var answer = known[found] {
            // A process that crashed tells nothing, but its faults are known.
            answer.faults =
                (try? setting.reduced(by: candidates[found]))?.faultLines ?? answer.faults
            search.best = answer
            search.reduction = candidates[found]
            listener.smaller(search.reduction, faults: answer.faults.count, runs: search.runs)
        } else {
            listener.tried(runs: search.runs)
        }
        return found
    }
}

extension SeedAnswer {
    func fails(with signature: FailureSignature) -> Bool {
        refusal == nil && result.signature == signature
    }
}

/// How far shrinking has come.
private struct ShrinkSearch: Sendable {
    let signature: FailureSignature
    var best: SeedAnswer
    /// The planned faults of the whole run.
    let all: [PlannedFault.Name]
    let fired: [PlannedFault]
    var reduction = Reduction.none
    var runs = 0

    var faultCount: Int { (reduction.faults ?? all).count }

    /// The same with what another one, that found no less, has taken.
    func after(_ other: ShrinkSearch) -> ShrinkSearch {
        var search = self
        search.runs = other.runs
        return search
    }

    /// The faults in use that strike at `time` or earlier.
    func names(before time: Instant) -> [PlannedFault.Name] {
        let used = Set(reduction.faults ?? all)
        return Shrinker.names(of: fired.filter { $0.fireAt <= time && used.contains($0.name) })
    }
}

/// What shrinking came to.
public struct ShrinkOutcome: Sendable {
    public let signature: FailureSignature
    public let reduction: Reduction
    /// The smallest run that fails.
    public let answer: SeedAnswer
    public let faultsBefore: Int
    /// Runs of candidates.
    public let runs: Int
    public let isInterrupted: Bool

    public var faultsAfter: Int { answer.faults.count }
}

/// Follows shrinking; calls come from one thread.
public protocol ShrinkListener: Sendable {
    /// A smaller run fails in the same way.
    func smaller(_ reduction: Reduction, faults: Int, runs: Int)
    /// None of some smaller runs did.
    func tried(runs: Int)
}
