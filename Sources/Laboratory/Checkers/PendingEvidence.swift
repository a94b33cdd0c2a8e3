/// What the answers of a part show about the values of one object, to tell which unanswered
/// operations nobody can have seen.
///
/// **Why leaving them out is right.** Without an unanswered operation *o* every linearization of
/// the rest is one of the whole, since *o* need not have happened. The other way round, let *o*
/// stand in a linearization and leave value *v*. Until the next operation that overwrites whatever
/// is there, answers come from *v*. None of them can be one that needs *v* (there is none after the
/// call of *o*), nor a successful swap that expects *v*, answered or not, nor a refused swap. What
/// remains between does not look at the value, so *o* can be taken away and every answer stays
/// possible. Taking one away shrinks the evidence, so the argument holds for the next.
struct Evidence<Value: Hashable> {
    /// The last return of an answer that needs the value.
    private var lastSeen: [Value: Int] = [:]
    /// For each object, the last return of an answer that shows only which value was not there.
    private var lastDifference: [Int32: Int] = [:]

    /// An unanswered operation with what it would leave and what it needs to have an effect.
    struct Pending {
        var index: Int
        var called: Int
        /// Which object it changes, where a part has several.
        var object: Int32 = 0
        var leaves: Value
        /// `nil` when it has its effect in every state.
        var expects: Value?
    }

    mutating func see(_ value: Value, until end: Int?) {
        guard let end else { return }
        lastSeen[value] = max(lastSeen[value] ?? -1, end)
    }

    mutating func seeDifference(of object: Int32 = 0, until end: Int?) {
        guard let end else { return }
        lastDifference[object] = max(lastDifference[object] ?? -1, end)
    }

    /// Indices of `pending` that can all be left out.
    func unobserved(_ pending: [Pending]) -> [Int] {
        var expected: [Value: Int] = [:]
        for operation in pending {
            if let value = operation.expects { expected[value, default: 0] += 1 }
        }
        var kept = pending
        var dropped: [Int] = []
        // Dropping a swap can free what it expected, so it goes on until nothing changes.
        while true {
            let before = kept.count
            kept.removeAll { operation in
                let ownExpectation = operation.expects == operation.leaves ? 1 : 0
                guard (lastDifference[operation.object] ?? -1) < operation.called,
                    (lastSeen[operation.leaves] ?? -1) < operation.called,
                    (expected[operation.leaves] ?? 0) <= ownExpectation
                else { return false }
                if let value = operation.expects { expected[value]! -= 1 }
                dropped.append(operation.index)
                return true
            }
            if kept.count == before { return dropped.sorted() }
        }
    }
}
