public import Units

/// A count of votes among one set of voters, or two.
public enum VoteResult: Hashable, Sendable {
    /// Neither won nor lost: it depends on voters that have not answered.
    case pending
    case won
    case lost
}

/// The arithmetic of majorities: what a set of voters has agreed on.
///
/// An empty set agrees on everything, so that a joint decision of a set and an empty one is the
/// decision of the set. Voters come as an array without repetition. What is needed in between
/// lies on the stack; time is quadratic in the number of voters, which are few.
public enum Quorum {
    /// The index that an empty set has committed.
    public static let unbounded = LogIndex.max

    /// How many of `count` voters are more than half of them.
    public static func majority(of count: Int) -> Int { count / 2 + 1 }

    /// The highest index that a majority of `voters` has reached; zero is the index of voters that
    /// have not reported.
    public static func committedIndex(
        _ voters: [NodeID],
        reached: (NodeID) -> LogIndex
    ) -> LogIndex {
        highest(voters, unbounded: unbounded, value: reached)
    }

    /// The highest index that majorities of both sets have reached.
    public static func committedIndex(
        _ incoming: [NodeID],
        _ outgoing: [NodeID],
        reached: (NodeID) -> LogIndex
    ) -> LogIndex {
        min(
            committedIndex(incoming, reached: reached),
            committedIndex(outgoing, reached: reached)
        )
    }

    /// The highest index that voters of two zones have reached; unbounded when all of them that have a
    /// zone have the same.
    static func indexInTwoZones(
        _ voters: [NodeID],
        zone: (NodeID) -> UInt32?,
        reached: (NodeID) -> LogIndex
    ) -> LogIndex {
        var best: (zone: UInt32, index: LogIndex)?
        var second: LogIndex?
        for voter in voters {
            guard let zone = zone(voter) else { continue }
            let index = reached(voter)
            if let leader = best, leader.zone != zone {
                second = max(second ?? 0, min(leader.index, index))
                if index > leader.index { best = (zone, index) }
            } else {
                best = (zone, max(best?.index ?? 0, index))
            }
        }
        return second ?? unbounded
    }

    /// The largest value that a majority of `voters` has reached or passed.
    static func highest<Value: Comparable & BitwiseCopyable>(
        _ voters: [NodeID],
        unbounded: Value,
        value: (NodeID) -> Value
    ) -> Value {
        guard !voters.isEmpty else { return unbounded }
        let needed = majority(of: voters.count)
        // On the stack, so that each voter is asked once.
        return withUnsafeTemporaryAllocation(of: Value.self, capacity: voters.count) { values in
            for (place, voter) in voters.enumerated() {
                values.initializeElement(at: place, to: value(voter))
            }
            var best: Value?
            for limit in values {
                if let best, limit <= best { continue }
                var supporters = 0
                for value in values where value >= limit { supporters += 1 }
                if supporters >= needed { best = limit }
            }
            // The smallest value is reached by all voters, so one was found.
            return best!
        }
    }

    /// Counts the votes of one set; `nil` means that a voter has not answered.
    public static func result(_ voters: [NodeID], vote: (NodeID) -> Bool?) -> VoteResult {
        guard !voters.isEmpty else { return .won }
        var granted = 0
        var open = 0
        for voter in voters {
            switch vote(voter) {
            case true?: granted += 1
            case false?: break
            case nil: open += 1
            }
        }
        let needed = majority(of: voters.count)
        if granted >= needed { return .won }
        return granted + open >= needed ? .pending : .lost
    }

    /// Counts the votes of two sets: won when both are won, lost when either is lost.
    public static func result(
        _ incoming: [NodeID],
        _ outgoing: [NodeID],
        vote: (NodeID) -> Bool?
    ) -> VoteResult {
        let first = result(incoming, vote: vote)
        let second = result(outgoing, vote: vote)
        if first == second { return first }
        return first == .lost || second == .lost ? .lost : .pending
    }
}
