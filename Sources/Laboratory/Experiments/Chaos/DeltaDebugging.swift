/// Delta debugging: from many causes of a failure to a few that suffice.
///
/// The algorithm is ddmin of Zeller and Hildebrandt, "Simplifying and Isolating Failure-Inducing
/// Input" (IEEE TSE 28(2), 2002): try parts, then what is left without a part, then smaller parts. The
/// result is 1-minimal: without any single element the failure is gone. A smaller set may exist where
/// failing is not monotone.
///
/// Deviation: the empty set is tried first, because a run may well fail without any fault.
package struct DeltaDebugging<Element: Hashable & Sendable> {
    /// The position of the first candidate that still fails; `nil` when none does. It may try several
    /// at a time, but must not prefer a later one.
    private let firstFailing: ([[Element]]) throws -> Int?
    /// Hears of each smaller set.
    private let progress: ([Element]) -> Void
    /// Sets that are known not to fail; nothing is tried twice.
    private var passing: Set<[Element]> = []

    package init(
        firstFailing: @escaping ([[Element]]) throws -> Int?,
        progress: @escaping ([Element]) -> Void = { _ in }
    ) {
        self.firstFailing = firstFailing
        self.progress = progress
    }

    /// The smallest failing part of `elements` that the algorithm finds, in their order.
    ///
    /// `elements` must fail as a whole; whether it does is not tried again.
    package mutating func minimum(of elements: [Element]) throws -> [Element] {
        guard !elements.isEmpty else { return [] }
        if try first(of: [[]]) != nil {
            progress([])
            return []
        }
        var failing = elements
        var parts = 2
        while failing.count >= 2 {
            let subsets = DeltaDebugging.split(failing, into: parts)
            if let index = try first(of: subsets) {
                failing = subsets[index]
                parts = 2
            } else {
                // With two parts, what is left without one is the other.
                let rests =
                    parts == 2
                    ? [] : subsets.indices.map { DeltaDebugging.joined(subsets, without: $0) }
                if let index = try first(of: rests) {
                    failing = rests[index]
                    parts = max(parts - 1, 2)
                } else if parts < failing.count {
                    parts = min(2 * parts, failing.count)
                    continue
                } else {
                    break
                }
            }
            progress(failing)
        }
        return failing
    }

    private mutating func first(of candidates: [[Element]]) throws -> Int? {
        let known = passing
        let open = candidates.indices.filter { !known.contains(candidates[$0]) }
        guard !open.isEmpty else { return nil }
        let found = try firstFailing(open.map { candidates[$0] })
        passing.formUnion(open.prefix(found ?? open.count).map { candidates[$0] })
        return found.map { open[$0] }
    }

    /// `count` parts of as equal size as possible, none empty.
    private static func split(_ elements: [Element], into count: Int) -> [[Element]] {
        let count = min(count, elements.count)
        return (0..<count).map { part in
            let begin = elements.count * part / count
            let end = elements.count * (part + 1) / count
            return Array(elements[begin..<end])
        }
    }

    private static func joined(_ parts: [[Element]], without index: Int) -> [Element] {
        parts.indices.filter { $0 != index }.flatMap { parts[$0] }
    }
}
