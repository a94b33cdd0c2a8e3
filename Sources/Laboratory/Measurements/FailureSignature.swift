import Units

/// What went wrong in a replication, without the numbers: failures of equal signature are taken for
/// one bug seen through different seeds.
///
/// The rule is the invariant that was violated first, or how the run ended; the shape is its message
/// with every number replaced by `#`, so that neither times nor nodes nor keys tell two seeds apart.
public struct FailureSignature: Hashable, Comparable, Sendable, Codable {
    public var kind: Kind
    /// For example `linearizability`; `crash` or `outcome` where no invariant was violated.
    public var rule: String
    public var shape: String

    /// In order of weight.
    public enum Kind: String, Hashable, Sendable, Codable, CaseIterable {
        /// The same seed gave two different runs.
        case nondeterminism
        /// Something happened that must never happen.
        case safety
        /// The code under test trapped, or its process did not come back.
        case crash
        /// Something that must happen in time did not.
        case liveness
        /// The run was cut short, so that nobody knows.
        case undecided
    }

    public init(_ kind: Kind, rule: String, shape: String) {
        self.kind = kind
        self.rule = rule
        self.shape = FailureSignature.shape(of: shape)
    }

    /// The signature of a run that failed or was cut short; `nil` for one that passed.
    ///
    /// Of several violations the earliest counts, safety before liveness at the same time. A run that
    /// is cut short is still failing when it violated something before.
    public init?(_ record: RunRecord) {
        if let (outcome, violation) = record.firstViolation {
            self.init(
                outcome.kind == .safety ? .safety : .liveness,
                rule: outcome.name,
                shape: violation?.message ?? ""
            )
            return
        }
        switch record.outcome {
        case .completed, .interrupted: return nil
        case .safetyViolation(let message):
            self.init(.safety, rule: "outcome", shape: message)
        case .livenessViolation(let message):
            self.init(.liveness, rule: "outcome", shape: message)
        case .failed(let message): self.init(.crash, rule: "outcome", shape: message)
        case .truncated(let reason): self.init(.undecided, rule: "outcome", shape: reason)
        }
    }

    /// Whether it speaks against the code under test; a run that was cut short does not.
    public var isFailure: Bool { kind != .undecided }

    /// `linearizability: key # has no order`.
    public var text: String { shape.isEmpty ? rule : "\(rule): \(shape)" }

    public static func < (left: FailureSignature, right: FailureSignature) -> Bool {
        let order = Kind.allCases
        let (first, second) = (
            order.firstIndex(of: left.kind)!, order.firstIndex(of: right.kind)!
        )
        return (first, left.rule, left.shape) < (second, right.rule, right.shape)
    }
}

extension FailureSignature {
    /// Longer shapes are cut.
    public static let shapeLimit = 160

    /// `text` without what differs from seed to seed: numbers, also with a point, a unit or in
    /// hexadecimal, and what stands in quotation marks become `#`; of a list of equal parts one stays.
    /// The shape of a shape is that shape.
    public static func shape(of text: String) -> String {
        var words = ""
        var scalars = Substring(text)
        while let character = scalars.first {
            if character == "\n" || character == "\t" {
                words.append(" ")
                scalars.removeFirst()
            } else if let end = quotationEnd(scalars) {
                words.append("'#'")
                scalars = scalars[end...]
            } else if isNumber(character), !(words.last.map(isLetter) ?? false) {
                words.append("#")
                scalars = afterNumber(scalars)
            } else if isNumber(character) {
                // A number at a word's end, as in `n3`; the letters before stay.
                words.append("#")
                scalars = scalars.drop(while: isNumber)
            } else {
                words.append(character)
                scalars.removeFirst()
            }
        }
        let merged = mergedLists(words)
        guard merged.count > shapeLimit else { return merged }
        return String(merged.prefix(shapeLimit - 1)) + "…"
    }

    private static let units: Set<Substring> = [
        "ns", "us", "µs", "ms", "s", "min", "h", "B", "KiB", "MiB", "GiB", "kB", "MB", "GB", "TB",
    ]

    /// What follows the number at the front of `text`: digits, points and hexadecimal digits, then a
    /// unit if there is one, because `80 ms` and `1.2 s` are the same kind of thing.
    private static func afterNumber(_ text: Substring) -> Substring {
        var rest = text
        if text.hasPrefix("0x") {
            rest = text.dropFirst(2).drop(while: \.isHexDigit)
        } else {
            let word = text.prefix { $0.isHexDigit }
            // A digest is a long word of hexadecimal digits; `12be` is not.
            if word.count >= 8 {
                rest = text.dropFirst(word.count)
            } else {
                rest = text.drop { isNumber($0) || $0 == "." && text.first != "." }
                // A point that ends a sentence is no part of the number.
                if text[..<rest.startIndex].last == "." {
                    rest = text[text.index(before: rest.startIndex)...]
                }
            }
        }
        let spaced = rest.first == " " ? rest.dropFirst() : rest
        let unit = spaced.prefix(while: isLetter)
        return units.contains(unit) ? spaced.dropFirst(unit.count) : rest
    }

    private static func quotationEnd(_ text: Substring) -> Substring.Index? {
        guard let mark = text.first, mark == "'" || mark == "\"" else { return nil }
        let inner = text.dropFirst()
        // An apostrophe is followed by letters and no second mark on the way to the next space.
        guard let close = inner.firstIndex(of: mark), inner[..<close].count <= 80 else {
            return nil
        }
        return inner.index(after: close)
    }

    private static func mergedLists(_ text: String) -> String {
        var parts: [Substring] = []
        for part in text.split(separator: ", ", omittingEmptySubsequences: false)
        where parts.last != part {
            parts.append(part)
        }
        return parts.joined(separator: ", ")
    }

    private static func isNumber(_ character: Character) -> Bool {
        ("0"..."9").contains(character)
    }

    private static func isLetter(_ character: Character) -> Bool { character.isLetter }
}

extension RunRecord {
    /// The violation that came first, with its invariant; safety before liveness at the same time,
    /// and what gives no violation in full last. `nil` where everything held.
    public var firstViolation: (invariant: InvariantOutcome, violation: Violation?)? {
        let broken = invariants.filter { $0.violationCount > 0 }
        func place(_ outcome: InvariantOutcome) -> (Int64, Int, String) {
            (
                outcome.violations.map(\.time.nanoseconds).min() ?? .max,
                outcome.kind == .safety ? 0 : 1, outcome.name
            )
        }
        guard let first = broken.min(by: { place($0) < place($1) }) else { return nil }
        return (first, first.violations.min { $0.time < $1.time })
    }
}
