public import Units

/// Which replication a record belongs to.
public struct RunKey: Hashable, Sendable, Codable {
    /// The scenario's name, for example `wan-migration`.
    public let scenario: String
    /// The digest of the resolved scenario, as hexadecimal text.
    public let scenarioDigest: String
    /// The variant's name; `default` when the scenario names none.
    public let variant: String
    public let seed: UInt64
    public let environment: EnvironmentKind

    public init(
        scenario: String,
        scenarioDigest: String,
        variant: String,
        seed: UInt64,
        environment: EnvironmentKind
    ) {
        self.scenario = scenario
        self.scenarioDigest = scenarioDigest
        self.variant = variant
        self.seed = seed
        self.environment = environment
    }
}

/// How a replication ended.
public enum RunOutcome: Hashable, Sendable, Codable {
    /// It did what the scenario asked for.
    case completed
    /// A limit of time, events or memory ended it early; its figures describe less than was asked.
    case truncated(reason: String)
    /// A person or the budget stopped it; it is not recorded as a replication.
    case interrupted
    /// The code under test trapped or reported its own bug.
    case failed(message: String)
    /// Something happened that must never happen.
    case safetyViolation(message: String)
    /// Something that must happen in time did not.
    case livenessViolation(message: String)
}

/// A state the run's fingerprint had at a fixed virtual time; divergences are located between two.
public struct Checkpoint: Hashable, Sendable, Codable {
    public let time: Instant
    /// 32 hexadecimal digits.
    public let fingerprint: String

    public init(time: Instant, fingerprint: String) {
        self.time = time
        self.fingerprint = fingerprint
    }
}

/// What became of one planned fault.
public struct FaultRecord: Hashable, Sendable, Codable {
    /// For example `net.partition`.
    public let kind: String
    /// What it struck, for example `eu-west` or `node 2`.
    public let target: String
    /// When the scenario wanted it.
    public let planned: Instant
    /// When it struck; `nil` when it never did, which is a warning.
    public let fired: Instant?
    /// When it was over; `nil` while it lasts.
    public let healed: Instant?

    public init(kind: String, target: String, planned: Instant, fired: Instant?, healed: Instant?) {
        self.kind = kind
        self.target = target
        self.planned = planned
        self.fired = fired
        self.healed = healed
    }
}

/// One broken promise.
public struct Violation: Hashable, Sendable, Codable {
    public let time: Instant
    public let message: String

    public init(time: Instant, message: String) {
        self.time = time
        self.message = message
    }
}

/// What checking one invariant during a run gave.
public struct InvariantOutcome: Hashable, Sendable, Codable {
    public let name: String
    public let kind: Kind
    /// How often it was checked; never checked is not the same as never violated.
    public let checked: UInt64
    /// How often it was violated.
    public let violationCount: UInt64
    /// The first violations, at most ``violationLimit``.
    public let violations: [Violation]

    public enum Kind: String, Hashable, Sendable, Codable {
        /// Nothing bad happens.
        case safety
        /// Something good happens in time.
        case liveness
    }

    public static let violationLimit = 20

    /// Keeps the first ``violationLimit`` of `violations` and counts them all.
    public init(
        name: String,
        kind: Kind = .safety,
        checked: UInt64,
        violations: [Violation],
        violationCount: UInt64? = nil
    ) {
        self.name = name
        self.kind = kind
        self.checked = checked
        self.violations = Array(violations.prefix(InvariantOutcome.violationLimit))
        self.violationCount = max(violationCount ?? 0, UInt64(violations.count))
    }
}

/// A named number of a ``Marker``.
public struct Field: Hashable, Sendable, Codable {
    public let name: String
    public let value: Double

    public init(_ name: String, _ value: Double) {
        self.name = name
        self.value = value
    }
}

/// Something worth showing on a time axis or in a table: a migration round, a pause, a stream that
/// died.
public struct Marker: Hashable, Sendable, Encodable {
    public let time: Instant
    /// The node's name; empty for the experiment itself.
    public let node: String
    /// For example `migration.round`; all markers of a kind carry the same fields.
    public let kind: String
    /// What it is about where a number cannot say it, for example a crash point's name; often empty.
    public let text: String
    public let fields: [Field]

    /// Kind: ``node`` became ready to serve. The field ``secondsField``, where present, is its boot
    /// time, so that nodes whose spans are not kept can be ranked.
    public static let bootReady = "boot.ready"
    public static let secondsField = "seconds"
    /// Kind: a crash was made at the point named by ``text``; the field ``survivedField`` is 1 when
    /// the next start recovered, else 0.
    public static let crashPoint = "boot.crash-point"
    public static let survivedField = "survived"

    public init(
        time: Instant,
        node: String = "",
        kind: String,
        text: String = "",
        fields: [Field] = []
    ) {
        self.time = time
        self.node = node
        self.kind = kind
        self.text = text
        self.fields = fields
    }

    /// The value of the field `name`, if the marker has it.
    public subscript(name: String) -> Double? {
        fields.first { $0.name == name }?.value
    }
}

/// A statement about where a run's figures come from: a data set's digest, the hardware profile, how
/// often the memory wrapped.
public struct Fact: Hashable, Sendable, Codable {
    public let key: String
    public let value: String

    public init(_ key: String, _ value: String) {
        self.key = key
        self.value = value
    }

    /// Key: how the links of a run on sockets came about.
    public static let links = "links"
    /// Value of ``links``: an emulator gave them the scenario's rate, delay, loss and faults.
    public static let emulated = "emulated"
}

/// A distribution over a run that is shown and not judged, for example of segment sizes.
public struct NamedHistogram: Equatable, Sendable, Codable {
    public let name: String
    public let unit: String
    public let labels: [Label]
    public let histogram: LogHistogram

    public init(name: String, unit: String, labels: [Label] = [], histogram: LogHistogram) {
        self.name = name
        self.unit = unit
        self.labels = labels.sorted { $0.key < $1.key }
        self.histogram = histogram
    }
}

/// Everything one replication leaves behind. It is filled in memory during the run and written to
/// the archive in one transaction afterwards.
public struct RunRecord: Equatable, Sendable, Encodable {
    public var key: RunKey
    /// The commit that was built, with `-dirty` behind it when the work tree differed.
    public var commit: String
    /// The digest of everything that happened, 32 hexadecimal digits; empty outside simulation.
    public var fingerprint: String
    public var checkpoints: [Checkpoint]
    public var outcome: RunOutcome
    /// Inputs delivered to machines plus packets arriving or leaving.
    public var events: UInt64
    /// The virtual time that passed; on sockets the monotonic time.
    public var simulatedSeconds: Double
    /// Real time spent in the event loop without jobs.
    public var kernelSeconds: Double
    /// Real time spent in jobs (encoding, compression, verification).
    public var workSeconds: Double
    /// Real time from start to end of the replication.
    public var realSeconds: Double
    /// Peak resident memory of the process in bytes when the replication ended.
    public var peakMemoryBytes: UInt64
    public var metrics: [MetricValue]
    public var series: [Series]
    public var histograms: [NamedHistogram]
    public var faults: [FaultRecord]
    public var invariants: [InvariantOutcome]
    /// In order of time; at most ``markerLimit`` are archived.
    public var markers: [Marker]
    /// Lane by lane, each in order of time; at most ``spanLimit`` are archived. A run of many nodes
    /// keeps the lanes worth looking at, whole.
    public var spans: [Span]
    /// In the order a report prints them.
    public var facts: [Fact]

    public static let markerLimit = 10_000
    public static let spanLimit = 5_000

    public init(
        key: RunKey,
        commit: String,
        fingerprint: String = "",
        checkpoints: [Checkpoint] = [],
        outcome: RunOutcome = .completed,
        events: UInt64 = 0,
        simulatedSeconds: Double = 0,
        kernelSeconds: Double = 0,
        workSeconds: Double = 0,
        realSeconds: Double = 0,
        peakMemoryBytes: UInt64 = 0,
        metrics: [MetricValue] = [],
        series: [Series] = [],
        histograms: [NamedHistogram] = [],
        faults: [FaultRecord] = [],
        invariants: [InvariantOutcome] = [],
        markers: [Marker] = [],
        spans: [Span] = [],
        facts: [Fact] = []
    ) {
        self.key = key
        self.commit = commit
        self.fingerprint = fingerprint
        self.checkpoints = checkpoints
        self.outcome = outcome
        self.events = events
        self.simulatedSeconds = simulatedSeconds
        self.kernelSeconds = kernelSeconds
        self.workSeconds = workSeconds
        self.realSeconds = realSeconds
        self.peakMemoryBytes = peakMemoryBytes
        self.metrics = metrics
        self.series = series
        self.histograms = histograms
        self.faults = faults
        self.invariants = invariants
        self.markers = markers
        self.spans = spans
        self.facts = facts
    }

    /// The figure of `metric` with exactly these labels; otherwise the one whose labels contain all of
    /// them, if the run measured exactly one such figure.
    public func value(of metric: String, labels: [Label] = []) -> MetricValue? {
        let sorted = labels.sorted { $0.key < $1.key }
        let exact = metrics.filter { $0.metric == metric && $0.labels == sorted }
        if exact.count == 1 { return exact[0] }
        let found = metrics.filter { value in
            value.metric == metric && labels.allSatisfy { value.labels.contains($0) }
        }
        return found.count == 1 ? found[0] : nil
    }

    /// Whether the links had the rate, delay and loss of the scenario.
    public var isShaped: Bool {
        key.environment.isShaped || fact(Fact.links) == Fact.emulated
    }

    /// The value of the fact `key`, if the run states it.
    public func fact(_ key: String) -> String? {
        facts.first { $0.key == key }?.value
    }
}
