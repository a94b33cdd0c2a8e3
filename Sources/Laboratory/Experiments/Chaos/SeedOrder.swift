public import Measurements
public import Units

/// One seed to run, as the laboratory tells a process that does nothing else.
public struct SeedOrder: Hashable, Sendable, Codable {
    public var variant: String
    public var seed: UInt64
    public var reduction: Reduction
    /// Checkpoints come back also from a run that passed.
    public var keepsCheckpoints: Bool
    /// The faults that were planned come back in words.
    public var tellsFaults: Bool
    /// A known defect that is planted, by its name.
    public var defect: String?
    /// What is written down for people; nothing without it.
    public var window: Window?

    public struct Window: Hashable, Sendable, Codable {
        public var from: Instant
        public var until: Instant

        public init(from: Instant, until: Instant) {
            self.from = from
            self.until = until
        }
    }

    public init(
        variant: String,
        seed: UInt64,
        reduction: Reduction = .none,
        keepsCheckpoints: Bool = false,
        tellsFaults: Bool = false,
        defect: String? = nil,
        window: Window? = nil
    ) {
        self.variant = variant
        self.seed = seed
        self.reduction = reduction
        self.keepsCheckpoints = keepsCheckpoints
        self.tellsFaults = tellsFaults
        self.defect = defect
        self.window = window
    }
}

/// What a seed came to.
public struct SeedAnswer: Sendable, Codable {
    public var result: SeedResult
    /// Only where it was asked for.
    public var timeline: Timeline?
    /// The fault plan of the run, as far as it was carried out; only where it was asked for.
    public var faults: [PlannedFaultLine]
    /// Why the run could not be: the smaller scenario is none. The result is void then.
    public var refusal: String?

    public init(
        _ result: SeedResult,
        timeline: Timeline? = nil,
        faults: [PlannedFaultLine] = [],
        refusal: String? = nil
    ) {
        self.result = result
        self.timeline = timeline
        self.faults = faults
        self.refusal = refusal
    }
}

/// One planned fault in words.
public struct PlannedFaultLine: Hashable, Sendable, Codable {
    /// `2.0`: rule and occurrence.
    public var name: String
    public var text: String

    public init(name: String, text: String) {
        self.name = name
        self.text = text
    }
}

/// Runs one seed in a process or on a thread of its own kind; `slot` tells which of the parallel ones
/// asks. `nil` when it was cancelled.
public typealias SeedRun =
    @Sendable (SeedOrder, _ slot: Int, _ isCancelled: @escaping @Sendable () -> Bool) throws
    -> SeedAnswer?
