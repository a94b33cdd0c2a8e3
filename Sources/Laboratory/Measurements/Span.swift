public import Units

/// A named piece of time on a lane of a run: one attempt to start one component of one node.
///
/// Attempts of a component share lane, group and name and follow each other; what lies between two
/// of them is the delay before the retry. A component that was never attempted leaves one span
/// without length whose outcome says why.
public struct Span: Hashable, Sendable, Codable {
    /// Where it happened, for example `node 0`.
    public let lane: String
    /// What it was, for example the component's name.
    public let name: String
    /// What it belongs to, for example the phase `core`; groups are shown in order of first mention.
    public let group: String
    public let start: Instant
    /// Never before ``start``.
    public let end: Instant
    public let outcome: Outcome
    /// Whether the lane's end waited for it: the critical spans of a lane, in order of time, are the
    /// chain that bounds it.
    public let isCritical: Bool
    /// Further figures; the ones reports know are the names below.
    public let fields: [Field]

    public enum Outcome: String, Hashable, Sendable, Codable, CaseIterable {
        /// It did what it should.
        case ready
        /// It ended well with a replacement in its place.
        case fallback
        /// It failed or ran out of time.
        case failed
        /// It never began, because what it needs had failed or was left out.
        case skipped
        /// It was given up while it ran.
        case cancelled
    }

    /// Field: seconds before ``start`` in which everything it depends on was there and it still had
    /// to wait, for a level's barrier or a free place.
    public static let queuedField = "queued"
    /// Field: seconds of processor time in it.
    public static let processorField = "cpu"
    /// Field: the number of the attempt, from 1.
    public static let attemptField = "attempt"

    /// Traps when it would end before it begins.
    public init(
        lane: String,
        name: String,
        group: String = "",
        start: Instant,
        end: Instant,
        outcome: Outcome = .ready,
        isCritical: Bool = false,
        fields: [Field] = []
    ) {
        precondition(start <= end, "span \(name) begins at \(start) and ends at \(end)")
        self.lane = lane
        self.name = name
        self.group = group
        self.start = start
        self.end = end
        self.outcome = outcome
        self.isCritical = isCritical
        self.fields = fields
    }

    public var duration: Interval { end - start }

    /// The value of the field `name`, if the span has it.
    public subscript(name: String) -> Double? {
        fields.first { $0.name == name }?.value
    }
}
