public import Measurements
import Synchronization

/// Which seeds a chaos campaign runs.
public struct ChaosPlan: Sendable {
    /// The names of the variants, in scenario order.
    public var variants: [String]
    public var firstSeed: UInt64
    /// Seeds of each variant; at least one.
    public var seeds: Int
    /// Of the seeds, about this many are run a second time, in another process.
    public static let repeatedShare = 100

    public init(variants: [String], firstSeed: UInt64, seeds: Int) {
        precondition(seeds > 0 && !variants.isEmpty, "\(seeds) seeds of \(variants)")
        self.variants = variants
        self.firstSeed = firstSeed
        self.seeds = seeds
    }

    /// Seeds first, so that an interrupted campaign has as many of each variant.
    var places: [SeedPlace] {
        (0..<seeds).flatMap { index in
            variants.map { SeedPlace(variant: $0, seed: firstSeed &+ UInt64(index)) }
        }
    }

    /// Whether a seed is run twice: the first one, and one in a hundred by a hash of the seed, so that
    /// the choice is the same whatever range it lies in.
    func isRepeated(_ seed: UInt64) -> Bool {
        guard seed != firstSeed else { return true }
        // The finalizer of MurmurHash3, which spreads neighbours evenly.
        var mixed = seed
        mixed = (mixed ^ mixed >> 33) &* 0xFF51_AFD7_ED55_8CCD
        mixed = (mixed ^ mixed >> 33) &* 0xC4CE_B9FE_1A85_EC53
        mixed ^= mixed >> 33
        return mixed % UInt64(ChaosPlan.repeatedShare) == 0
    }
}

/// A seed of a variant.
public struct SeedPlace: Hashable, Sendable {
    public let variant: String
    public let seed: UInt64

    public init(variant: String, seed: UInt64) {
        self.variant = variant
        self.seed = seed
    }

    init(_ result: SeedResult) {
        self.init(variant: result.variant, seed: result.seed)
    }
}

/// Runs the seeds of a chaos campaign that are not there yet, and some of them twice.
///
/// What runs never depends on how many there are at a time, and nothing but failing seeds is kept in
/// full. Every first run of a seed comes before the repetitions, which meet fresh processes.
public struct ChaosRunner: Sendable {
    private let plan: ChaosPlan
    private let jobs: Int
    private let pool: SeedPool
    private let renew: @Sendable () -> Void
    /// Of more seeds that fail alike only a line is kept, as of a seed that passed.
    public static let recordsPerGroup = 50
    /// Of how many kinds of failure the first seed is run again.
    private static let repeatedGroups = 20

    /// - Parameters:
    ///   - jobs: Seeds at a time.
    ///   - run: Runs one seed.
    ///   - renew: Ends the processes behind `run`; the next seeds meet new ones.
    public init(
        _ plan: ChaosPlan,
        jobs: Int,
        run: @escaping SeedRun,
        renew: @escaping @Sendable () -> Void
    ) {
        self.plan = plan
        self.jobs = jobs
        self.renew = renew
        pool = SeedPool(jobs: jobs, run: run)
    }

    /// - Parameters:
    ///   - finished: Seeds that an earlier campaign left in the archive; those outside the plan are
    ///     ignored.
    ///   - listener: Hears of every seed; `keep` is called by one thread at a time and may throw to
    ///     end the campaign.
    ///   - isInterrupted: Asked often; what is done is kept when it becomes true.
    public func run(
        resuming finished: [SeedResult] = [],
        listener: some ChaosListener,
        isInterrupted: @escaping @Sendable () -> Bool
    ) throws -> ChaosOutcome {
        let places = plan.places
        let wanted = Set(places)
        let results = Mutex<[SeedPlace: SeedResult]>([:])
        for result in finished where wanted.contains(SeedPlace(result)) {
            results.withLock { $0[SeedPlace(result)] = result }
        }
        let missing = places.filter { place in results.withLock { $0[place] == nil } }
        let lean = KeptRecords(finished)
        listener.planned(done: places.count - missing.count, total: places.count)
        let keeper = ResultKeeper(waiting: 2 * jobs) { result in
            try listener.keep(result)
            results.withLock { $0[SeedPlace(result)] = result }
        }
        let orders = missing.map { place in
            SeedOrder(
                variant: place.variant,
                seed: place.seed,
                keepsCheckpoints: plan.isRepeated(place.seed)
            )
        }
        try perform(orders, keeper, isInterrupted) { [plan] index, answer in
            let isRepeated = plan.isRepeated(missing[index].seed)
            return lean.reduced(answer.result, keepsCheckpoints: isRepeated)
        }
        var differences: [String] = []
        if !isInterrupted() {
            let first = results.withLock { $0 }
            differences = try repeated(places, first, keeper, listener, isInterrupted)
        }
        let all = results.withLock { $0 }
        return ChaosOutcome(
            results: places.compactMap { all[$0] },
            wanted: places.count,
            differences: differences,
            isInterrupted: isInterrupted()
        )
    }

    /// Runs seeds, and has kept what `finish` makes of their answers when it returns.
    private func perform(
        _ orders: [SeedOrder],
        _ keeper: ResultKeeper,
        _ isInterrupted: @escaping @Sendable () -> Bool,
        finish: @escaping @Sendable (Int, SeedAnswer) -> SeedResult
    ) throws {
        let runs = Result {
            try pool.perform(orders, isCancelled: isInterrupted) { index, answer in
                try keeper.add(finish(index, answer))
                return true
            }
        }
        try keeper.finish()
        try runs.get()
    }

    /// Runs some seeds again in other processes; those that are not the same become failures.
    private func repeated(
        _ places: [SeedPlace],
        _ first: [SeedPlace: SeedResult],
        _ keeper: ResultKeeper,
        _ listener: some ChaosListener,
        _ isInterrupted: @escaping @Sendable () -> Bool
    ) throws -> [String] {
        let chosen = chosen(places, first)
        guard !chosen.isEmpty else { return [] }
        renew()
        listener.repeating(chosen.count)
        let differences = Mutex<[SeedPlace: String]>([:])
        let orders = chosen.map {
            SeedOrder(variant: $0.variant, seed: $0.seed, keepsCheckpoints: true)
        }
        try perform(orders, keeper, isInterrupted) { index, answer in
            // Chosen were those that have one.
            var result = first[chosen[index]]!
            let difference = SeedDifference(result, answer.result)
            result.isRepeatable = difference == nil
            if let difference {
                result.signature = SeedDifference.signature
                result.record = result.record ?? answer.result.record
                differences.withLock { $0[chosen[index]] = difference.text }
            }
            return result
        }
        let found = differences.withLock { $0 }
        return chosen.compactMap { found[$0] }
    }

    /// Those of the one percent, and the first seed of each kind of failure, that have not been
    /// compared yet.
    private func chosen(
        _ places: [SeedPlace],
        _ results: [SeedPlace: SeedResult]
    ) -> [SeedPlace] {
        var seen: Set<FailureSignature> = []
        return places.filter { place in
            guard let result = results[place] else { return false }
            var isFirst = false
            if let signature = result.signature, seen.count < ChaosRunner.repeatedGroups {
                isFirst = seen.insert(signature).inserted
            }
            return result.isRepeatable == nil && (isFirst || plan.isRepeated(place.seed))
        }
    }
}

/// Counts the records that are kept of each kind of failure.
private final class KeptRecords: Sendable {
    private let counts: Mutex<[FailureSignature: Int]>

    init(_ finished: [SeedResult]) {
        var found: [FailureSignature: Int] = [:]
        for result in finished where result.record != nil {
            if let signature = result.signature { found[signature, default: 0] += 1 }
        }
        counts = Mutex(found)
    }

    /// The result without its record once there are enough like it.
    func reduced(_ result: SeedResult, keepsCheckpoints: Bool) -> SeedResult {
        guard let signature = result.signature else { return result }
        let count = counts.withLock { counts in
            counts[signature, default: 0] += 1
            return counts[signature]!
        }
        guard count > ChaosRunner.recordsPerGroup else { return result }
        var result = result
        result.record = nil
        if !keepsCheckpoints { result.checkpoints = [] }
        return result
    }
}

/// How two executions of one seed differ.
struct SeedDifference {
    let text: String

    static let signature = FailureSignature(
        .nondeterminism,
        rule: "determinism",
        shape: "the same seed gave another run in another process"
    )

    /// `nil` when they are the same.
    init?(_ first: SeedResult, _ second: SeedResult) {
        guard
            first.fingerprint != second.fingerprint || first.signature != second.signature
        else { return nil }
        let checkpoint = zip(first.checkpoints, second.checkpoints).first {
            $0.0.fingerprint != $0.1.fingerprint
        }
        let place =
            if let checkpoint {
                "before \(checkpoint.0.time)"
            } else if first.checkpoints.isEmpty || second.checkpoints.isEmpty {
                "at a time that is not known"
            } else {
                "after the last checkpoint"
            }
        text = "variant \(first.variant), seed \(first.seed): the runs differ \(place)"
    }
}

/// What a chaos campaign came to.
public struct ChaosOutcome: Sendable {
    /// By seed, then in the order of variants.
    public let results: [SeedResult]
    /// Seeds of all variants that were asked for.
    public let wanted: Int
    /// Of seeds that this campaign ran twice and found different: where they differ.
    public let differences: [String]
    /// Whether it was stopped before it had what it wanted.
    public let isInterrupted: Bool
}

/// Follows a chaos campaign; calls may come from different threads, `keep` one at a time.
public protocol ChaosListener: Sendable {
    func planned(done: Int, total: Int)
    /// A seed is finished, or has been compared with its repetition; what is kept here survives
    /// whatever happens to the others.
    func keep(_ result: SeedResult) throws
    /// That many seeds run again, to compare them.
    func repeating(_ count: Int)
}
