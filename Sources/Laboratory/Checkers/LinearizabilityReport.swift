public import Units

/// How far a search may go before it says that it does not know.
///
/// The bounds on steps and memory are the same on every machine; the one on time is not, and stays
/// out of everything that must repeat exactly.
public struct LinearizabilityLimits: Sendable {
    /// The most steps for a part of a history and each of its prefixes. A step is one operation
    /// tried; comparing a configuration with 32 visited ones counts as one, too.
    public var steps: Int
    /// The most memory for what one search remembers.
    public var memory: ByteCount
    /// Asked now and then; `true` ends the search.
    public var isOver: (@Sendable () -> Bool)?

    public init(
        steps: Int = 20_000_000,
        memory: ByteCount = .gibibytes(1),
        isOver: (@Sendable () -> Bool)? = nil
    ) {
        self.steps = steps
        self.memory = memory
        self.isOver = isOver
    }
}

/// What ended a search before it had an answer.
public enum LinearizabilityBound: String, Sendable, CaseIterable {
    case steps, memory, time
}

/// What is known about a history.
public enum LinearizabilityVerdict: Hashable, Sendable {
    /// Some order of the operations explains every answer.
    case linearizable
    /// No order does.
    case notLinearizable
    /// A bound ended the search. This says nothing about the history, and is never a pass.
    case unknown(LinearizabilityBound)

    /// Only what was shown to be linearizable passes.
    public var isPass: Bool { self == .linearizable }
}

extension LinearizabilityVerdict: CustomStringConvertible {
    public var description: String {
        switch self {
        case .linearizable: "linearizable"
        case .notLinearizable: "not linearizable"
        case .unknown(let bound): "unknown: the bound on \(bound.rawValue) was reached"
        }
    }
}

/// The verdict on a history, with what it took and where it fails.
public struct LinearizabilityReport: Sendable {
    public var verdict: LinearizabilityVerdict
    /// Parts that were searched one by one.
    public var parts = 0
    /// Unanswered operations that were left out because nobody saw their effect.
    public var dropped = 0
    /// Operations tried, in the searches of the whole parts.
    public var steps = 0
    /// Operations tried to find the shortest failing prefix.
    public var prefixSteps = 0
    /// Distinct configurations and states met.
    public var configurations = 0
    public var states = 0
    /// Of a linearizable history, for each part an order of its operations (indices into the
    /// history) that explains all answers; unanswered operations only where they were needed.
    public var linearizations: [[Int]] = []
    /// Where a history that is not linearizable fails first.
    public var failure: LinearizabilityFailure?

    public init(verdict: LinearizabilityVerdict) {
        self.verdict = verdict
    }
}

/// The shortest prefix of a part that no order explains.
public struct LinearizabilityFailure: Hashable, Sendable {
    /// The part's operations, as indices into the history.
    public var part: [Int]
    /// The position of the return that cannot be explained any more: the prefix ends with it.
    public var end: Int
    /// Whether every shorter prefix is known to be linearizable; `false` when a bound was reached
    /// while looking for it.
    public var isMinimal: Bool
    /// The longest way to explain the prefix that was found, in order.
    public var linearized: [Int]
    /// The operation whose answer was not reached.
    public var stuck: Int
    /// The state after `linearized`, for people.
    public var state: String
}
