/// What a campaign's end means for the process that ran it. The raw value is the exit code.
public enum VerdictCode: Int, Hashable, Sendable, Codable, CaseIterable {
    case go = 0
    /// A target is missed.
    case noGo = 1
    /// A gate is undecided, or something could not be judged.
    case inconclusive = 2
    /// A figure is worse than it was.
    case regression = 3
    /// Something happened that must never happen.
    case safetyViolation = 10
    /// Something that must happen in time did not.
    case livenessViolation = 11
    /// The same seed gave two different runs.
    case nondeterminism = 12
    /// The code under test trapped.
    case crash = 13
    /// A figure is beyond its physical bound.
    case invalid = 14
    /// The budget was spent below the minimum of replications.
    case tooFewReplications = 75

    /// The order in which one of several is chosen as the exit code.
    public static let precedence: [VerdictCode] = [
        .invalid, .nondeterminism, .safetyViolation, .crash, .livenessViolation, .noGo, .regression,
        .tooFewReplications, .inconclusive, .go,
    ]

    public var word: VerdictWord {
        switch self {
        case .go: .go
        case .noGo, .regression, .safetyViolation, .livenessViolation, .nondeterminism, .crash:
            .noGo
        case .invalid: .invalid
        case .inconclusive, .tooFewReplications: .inconclusive
        }
    }
}

/// The word in which a campaign ends.
public enum VerdictWord: String, Hashable, Sendable, Codable {
    case go = "GO"
    case noGo = "NO-GO"
    case inconclusive = "INCONCLUSIVE"
    case invalid = "INVALID"
}

/// The outcome of a campaign with its reasons.
public struct Verdict: Hashable, Sendable {
    /// The first of all codes in ``VerdictCode/precedence``.
    public let code: VerdictCode
    /// Every code that applies, in order of precedence.
    public let allCodes: [VerdictCode]
    /// The reasons in full sentences, the weightiest first.
    public let sentences: [String]

    public var word: VerdictWord { code.word }
    public var exitCode: Int { code.rawValue }

    /// The verdict of the given codes; GO when there are none.
    public init(codes: [VerdictCode], sentences: [String]) {
        let applying = VerdictCode.precedence.filter { codes.contains($0) }
        let chosen = applying.first ?? .go
        code = chosen
        allCodes = applying.isEmpty ? [.go] : applying.filter { $0 != .go || chosen == .go }
        self.sentences = sentences
    }
}
