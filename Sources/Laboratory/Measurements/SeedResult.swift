public import Units

/// What a chaos campaign keeps of one seed: a line for one that passed, and the record besides for
/// one that did not.
public struct SeedResult: Equatable, Sendable, Codable {
    public var variant: String
    public var seed: UInt64
    /// `nil` for a seed that passed.
    public var signature: FailureSignature?
    /// 32 hexadecimal digits; empty for a crash, after which nobody can tell.
    public var fingerprint: String
    public var events: UInt64
    public var simulatedSeconds: Double
    public var realSeconds: Double
    /// Sorted by kind.
    public var faults: [FaultTally]
    /// How often each kind of marker was met, sorted by kind; `sometimes` events are among them.
    public var sightings: [Sighting]
    /// How often each invariant was checked, by name.
    public var checks: [Sighting]
    /// Whether the seed, run once more in another process, gave the same; `nil` when it was not.
    public var isRepeatable: Bool?
    /// States on the way, for locating a difference; kept of failing seeds and of those that are
    /// repeated.
    public var checkpoints: [Checkpoint]
    /// Of a seed that failed: what happened, without series, histograms and figures. Nothing is known
    /// of a crash.
    public var record: RunRecord?

    /// How many faults of a kind were planned, struck and were over before the end.
    public struct FaultTally: Hashable, Sendable, Codable {
        public var kind: String
        public var planned: Int
        public var fired: Int
        public var healed: Int

        public init(kind: String, planned: Int, fired: Int, healed: Int) {
            self.kind = kind
            self.planned = planned
            self.fired = fired
            self.healed = healed
        }
    }

    /// Something that was met, and how often.
    public struct Sighting: Hashable, Sendable, Codable {
        public var name: String
        public var count: UInt64

        public init(name: String, count: UInt64) {
            self.name = name
            self.count = count
        }
    }

    /// More markers than these are not kept with a failing seed; the last ones are.
    public static let markerLimit = 1_000

    /// What is kept of a run.
    ///
    /// - Parameter keepsCheckpoints: Also of a run that passed.
    public init(_ run: RunRecord, keepsCheckpoints: Bool) {
        variant = run.key.variant
        seed = run.key.seed
        signature = FailureSignature(run)
        fingerprint = run.fingerprint
        events = run.events
        simulatedSeconds = run.simulatedSeconds
        realSeconds = run.realSeconds
        faults = SeedResult.tallies(run.faults)
        sightings = SeedResult.counted(run.markers.map { ($0.sightingName, 1) })
        checks = SeedResult.counted(run.invariants.map { ($0.name, $0.checked) })
        let isKept = signature != nil
        checkpoints = isKept || keepsCheckpoints ? run.checkpoints : []
        record = isKept ? SeedResult.lean(run) : nil
    }

    /// A seed whose run left nothing behind.
    public init(variant: String, seed: UInt64, crash: String, realSeconds: Double) {
        self.variant = variant
        self.seed = seed
        signature = FailureSignature(.crash, rule: "crash", shape: crash)
        fingerprint = ""
        events = 0
        simulatedSeconds = 0
        self.realSeconds = realSeconds
        faults = []
        sightings = []
        checks = []
        checkpoints = []
    }

    public init(
        variant: String,
        seed: UInt64,
        signature: FailureSignature?,
        fingerprint: String,
        events: UInt64,
        simulatedSeconds: Double,
        realSeconds: Double,
        faults: [FaultTally],
        sightings: [Sighting],
        checks: [Sighting],
        isRepeatable: Bool?,
        checkpoints: [Checkpoint],
        record: RunRecord?
    ) {
        self.variant = variant
        self.seed = seed
        self.signature = signature
        self.fingerprint = fingerprint
        self.events = events
        self.simulatedSeconds = simulatedSeconds
        self.realSeconds = realSeconds
        self.faults = faults
        self.sightings = sightings
        self.checks = checks
        self.isRepeatable = isRepeatable
        self.checkpoints = checkpoints
        self.record = record
    }

    /// Whether the seed speaks against the code under test.
    public var isFailing: Bool { signature?.isFailure ?? false }

    /// When the first violation was; `nil` where there was none.
    public var failedAt: Instant? { record?.firstViolation?.violation?.time }

    private static func lean(_ run: RunRecord) -> RunRecord {
        var run = run
        run.metrics = []
        run.series = []
        run.histograms = []
        run.checkpoints = []
        run.markers = Array(run.markers.suffix(markerLimit))
        run.spans = Array(run.spans.prefix(markerLimit))
        return run
    }

    private static func tallies(_ faults: [FaultRecord]) -> [FaultTally] {
        var tallies: [String: FaultTally] = [:]
        for fault in faults {
            var tally =
                tallies[fault.kind]
                ?? FaultTally(kind: fault.kind, planned: 0, fired: 0, healed: 0)
            tally.planned += 1
            tally.fired += fault.fired == nil ? 0 : 1
            tally.healed += fault.healed == nil ? 0 : 1
            tallies[fault.kind] = tally
        }
        return tallies.values.sorted { $0.kind < $1.kind }
    }

    package static func counted(_ names: [(String, UInt64)]) -> [Sighting] {
        var counts: [String: UInt64] = [:]
        for (name, count) in names { counts[name, default: 0] += count }
        return counts.map { Sighting(name: $0.key, count: $0.value) }.sorted { $0.name < $1.name }
    }
}

extension Marker {
    /// Kind: something that a campaign has to meet at least once to be worth anything, named by
    /// ``text``; scenarios list such names under `sometimes`.
    public static let sometimes = "sometimes"

    /// What `sometimes` of a scenario calls it: the kind, or the text of a marker made for that.
    var sightingName: String { kind == Marker.sometimes ? text : kind }
}
