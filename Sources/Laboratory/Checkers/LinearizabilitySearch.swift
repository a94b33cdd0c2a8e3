import Units

/// The search for a linearization: Wing and Gong's, with the memory of Lowe's.
///
/// It walks through configurations depth first. A configuration is what has happened so far, and
/// the state that results. Open operations are a linked list of calls and returns in array indices;
/// an operation that happens is lifted out of the list, and put back when the search turns round. A
/// return at the head of the list, before all calls, means that its operation should have happened
/// earlier.
///
/// Five rules cut the walk, each of which keeps at least one linearization of the same length when
/// there is any:
///
/// 1. A read-only operation that is possible happens at once; moving it forward changes no state.
/// 2. Of equal open operations the one that returns first happens first; two can be exchanged.
/// 3. Only operations that are connected with the first open return by shared footprints are tried:
///    the others commute with them and can happen after it.
/// 4. A configuration is left when a visited one at the same place is as cheap
///    (``ConfigurationMemo``).
/// 5. A configuration is left when an answer needs a fact that nothing can make true any more
///    (``Foresight``).
///
/// Sources: Wing and Gong, "Testing and Verifying Concurrent Objects" (JPDC 1993); Lowe, "Testing
/// for Linearizability" (CCPE 2017). Rules 1, 2, 3 and 5 and the comparison by price are additions.
struct LinearizabilitySearch<Model: SequentialModel> {
    private let problem: SearchProblem<Model>
    private let limits: LinearizabilityLimits

    // The linked list: entries of the problem, a sentinel behind them.
    private var next: [Int32]
    private var previous: [Int32]
    private let sentinel: Int

    private var states: [Model.State] = []
    private var stateNumbers: [Model.State: Int32] = [:]
    private var transitions = TransitionTable()
    private var memo: ConfigurationMemo

    private var used: [Int32]
    private var demandCount: [Int32]
    private var supplyCount: [Int32]

    /// What has happened: live operations, or complemented groups.
    private var trail: [Int32] = []
    private var frames: [Frame] = []
    private var candidates: [Candidate] = []
    private var record: [UInt64]
    private let readWord: Int
    private let pendingWord: Int

    // Of the configuration that was entered last.
    private var openChanges: [Int32] = []
    private var openReads: [Int32] = []
    private var classMark: [Int32]
    private var classBest: [Int32]
    private var stamp: Int32 = 0

    private(set) var steps = 0
    private var work = 0
    private(set) var furthest: Int32 = -1
    private(set) var deepest: [Int32] = []
    private var isDeepestStale = false
    private let usesFootprints: Bool

    private struct Frame {
        var state: Int32
        var trail: Int32
        var first: Int32
        var cursor: Int32
    }

    private struct Candidate {
        /// A live operation, or a complemented group.
        var item: Int32
        var next: Int32
        var rank: Int32
        var lost: Int32
        var gained: Int32
    }

    enum Ending: Equatable {
        case linearizable, notLinearizable
        case stopped(LinearizabilityBound)
    }

    init(_ problem: SearchProblem<Model>, _ limits: LinearizabilityLimits) {
        self.problem = problem
        self.limits = limits
        sentinel = problem.entries.count
        next = (0...sentinel).map { $0 == problem.entries.count ? 0 : Int32($0 + 1) }
        previous = (0...sentinel).map { $0 == 0 ? Int32(problem.entries.count) : Int32($0 - 1) }
        used = Array(repeating: 0, count: problem.groups.count)
        demandCount = problem.demandCount
        supplyCount = problem.supplyCount
        let changeWords = (problem.changeBits + 63) / 64
        let readWords = (problem.readBits + 63) / 64
        let pendingWords = (problem.pendingEntry.count + 63) / 64
        memo = ConfigurationMemo(placeWords: 1 + changeWords, priceWords: readWords + pendingWords)
        record = Array(repeating: 0, count: 1 + changeWords + readWords + pendingWords)
        pendingWord = 1 + changeWords + readWords
        readWord = 1 + changeWords
        classMark = Array(repeating: 0, count: problem.classes.count)
        classBest = classMark
        let first = problem.footprints.first
        usesFootprints = !problem.footprints.allSatisfy { $0 == first }
    }

    // MARK: - The walk

    mutating func run() -> Ending {
        let start = number(of: problem.initialState)
        if enter(start) { return .linearizable }
        while let frame = frames.last {
            guard frame.cursor < Int32(candidates.count) else {
                retreat()
                continue
            }
            undo(to: Int(frame.trail))
            let candidate = candidates[Int(frame.cursor)]
            frames[frames.count - 1].cursor += 1
            steps += 1
            if let bound = exceeded() { return .stopped(bound) }
            guard advance(candidate) else { continue }
            if enter(candidate.next) { return .linearizable }
        }
        return .notLinearizable
    }

    private mutating func retreat() {
        let frame = frames.removeLast()
        candidates.removeLast(candidates.count - Int(frame.first))
    }

    /// Lets one candidate happen; `false` when nothing can follow it.
    private mutating func advance(_ candidate: Candidate) -> Bool {
        happen(candidate.item)
        guard !demandCount.isEmpty, candidate.lost != candidate.gained else {
            return supplyHolds(candidate)
        }
        if candidate.lost >= 0, isHopeless(candidate.lost) { return false }
        return supplyHolds(candidate)
    }

    private func supplyHolds(_ candidate: Candidate) -> Bool {
        let supplies =
            candidate.item >= 0
            ? problem.liveSupplies[Int(candidate.item)]
            : problem.groupSupplies[Int(~candidate.item)]
        for fact in supplies where fact != candidate.gained && isHopeless(fact) { return false }
        return true
    }

    /// Whether an answer needs the fact and nothing can make it true any more.
    private func isHopeless(_ fact: Int32) -> Bool {
        demandCount[Int(fact)] > 0 && supplyCount[Int(fact)] == 0
    }

    /// Takes the read-only operations that are possible, and opens a frame unless the configuration
    /// is known; `true` when every live operation has happened.
    private mutating func enter(_ state: Int32) -> Bool {
        let frontier = settle(state)
        guard frontier < sentinel else { return true }
        if Int32(frontier) > furthest {
            furthest = Int32(frontier)
            isDeepestStale = true
        }
        record[0] = UInt64(UInt32(frontier)) << 32 | UInt64(UInt32(state))
        guard memo.visit(record, work: &work) else { return false }
        let first = Int32(candidates.count)
        propose(state, frontier)
        frames.append(
            Frame(state: state, trail: Int32(trail.count), first: first, cursor: first)
        )
        return false
    }

    /// Walks to the first open return; fills the record's bits of what is open.
    private mutating func settle(_ state: Int32) -> Int {
        openChanges.removeAll(keepingCapacity: true)
        openReads.removeAll(keepingCapacity: true)
        for word in 1..<max(1, pendingWord) { record[word] = 0 }
        var entry = Int(next[sentinel])
        while entry < sentinel {
            let operation = problem.entries[entry]
            guard operation >= 0 else { return entry }
            let following = Int(next[entry])
            let number = problem.liveClass[Int(operation)]
            let bit = Int(problem.liveBit[Int(operation)])
            if problem.isReadOnly[Int(number)] {
                if transition(state, number).next >= 0 {
                    // The return may be what follows.
                    let isNext = following == Int(problem.returnEntry[Int(operation)])
                    let after = isNext ? Int(next[following]) : following
                    happen(operation)
                    entry = after
                    continue
                }
                record[readWord &+ bit >> 6] |= 1 << UInt64(bit & 63)
                openReads.append(operation)
            } else {
                record[1 &+ bit >> 6] |= 1 << UInt64(bit & 63)
                openChanges.append(operation)
            }
            entry = following
        }
        return sentinel
    }

    // MARK: - Candidates

    private mutating func propose(_ state: Int32, _ frontier: Int) {
        let first = candidates.count
        let due = ~problem.entries[frontier]
        let dueClass = problem.liveClass[Int(due)]
        let mask = usesFootprints ? connected(to: dueClass, frontier) : .max
        stamp += 1
        for operation in openChanges {
            let number = Int(problem.liveClass[Int(operation)])
            guard problem.footprints[number] & mask != 0 || number == Int(dueClass) else {
                continue
            }
            if classMark[number] == stamp,
                problem.returnEntry[Int(classBest[number])]
                    < problem.returnEntry[Int(operation)]
            {
                continue
            }
            classMark[number] = stamp
            classBest[number] = operation
        }
        for operation in openChanges {
            let number = problem.liveClass[Int(operation)]
            guard classMark[Int(number)] == stamp, classBest[Int(number)] == operation else {
                continue
            }
            consider(operation, number, state)
        }
        for (index, group) in problem.groups.enumerated() {
            let position = Int(group.start &+ used[index])
            guard used[index] < group.count, problem.pendingEntry[position] <= Int32(frontier),
                classMark[Int(group.number)] != stamp,
                problem.footprints[Int(group.number)] & mask != 0
            else { continue }
            consider(~Int32(index), group.number, state)
        }
        guard candidates.count - first > 1 else { return }
        preferHelpful(from: first, due, dueClass)
        sortCandidates(from: first)
    }

    private mutating func consider(_ item: Int32, _ number: Int32, _ state: Int32) {
        let step = transition(state, number)
        guard step.next >= 0, item >= 0 || step.next != state else { return }
        candidates.append(
            Candidate(
                item: item,
                next: step.next,
                rank: item >= 0
                    ? problem.returnEntry[Int(item)] : Int32(problem.entries.count),
                lost: step.lost,
                gained: step.gained
            )
        )
    }

    /// What makes the answer that is due next possible comes before everything else: it uses up as
    /// few of the other operations as can be.
    private mutating func preferHelpful(from first: Int, _ due: Int32, _ dueClass: Int32) {
        for index in first..<candidates.count {
            let candidate = candidates[index]
            let helps =
                candidate.item == due || transition(candidate.next, dueClass).next >= 0
            if !helps { candidates[index].rank += 2 * Int32(problem.entries.count) }
        }
    }

    /// Insertion sort by rank; there are as many as clients are waiting.
    private mutating func sortCandidates(from first: Int) {
        for index in (first + 1)..<candidates.count {
            let item = candidates[index]
            var place = index
            while place > first, candidates[place - 1].rank > item.rank {
                candidates[place] = candidates[place - 1]
                place -= 1
            }
            candidates[place] = item
        }
    }

    /// The footprint of everything open that is connected with the operation due next.
    private func connected(to due: Int32, _ frontier: Int) -> UInt64 {
        var mask = problem.footprints[Int(due)]
        var changes = problem.isReadOnly[Int(due)] ? 0 : mask
        while true {
            let before = (mask, changes)
            for operation in openChanges {
                let own = problem.footprints[Int(problem.liveClass[Int(operation)])]
                if own & mask != 0 {
                    mask |= own
                    changes |= own
                }
            }
            for (index, group) in problem.groups.enumerated() where used[index] < group.count {
                let own = problem.footprints[Int(group.number)]
                if own & mask != 0 {
                    mask |= own
                    changes |= own
                }
            }
            for operation in openReads {
                let own = problem.footprints[Int(problem.liveClass[Int(operation)])]
                if own & changes != 0 { mask |= own }
            }
            if before == (mask, changes) { return mask }
        }
    }

    // MARK: - Happening and undoing

    private mutating func happen(_ item: Int32) {
        trail.append(item)
        if item >= 0 {
            let operation = Int(item)
            lift(Int(problem.callEntry[operation]))
            lift(Int(problem.returnEntry[operation]))
            if !demandCount.isEmpty {
                for fact in problem.liveDemands[operation] { demandCount[Int(fact)] &-= 1 }
                for fact in problem.liveSupplies[operation] { supplyCount[Int(fact)] &-= 1 }
            }
        } else {
            let group = Int(~item)
            let bit = Int(problem.groups[group].start &+ used[group])
            record[pendingWord &+ bit >> 6] |= 1 << UInt64(bit & 63)
            used[group] &+= 1
            if !demandCount.isEmpty {
                for fact in problem.groupDemands[group] { demandCount[Int(fact)] &-= 1 }
                for fact in problem.groupSupplies[group] { supplyCount[Int(fact)] &-= 1 }
            }
        }
    }

    private mutating func undo(to count: Int) {
        guard trail.count > count else { return }
        if isDeepestStale {
            deepest = trail
            isDeepestStale = false
        }
        while trail.count > count {
            let item = trail.removeLast()
            if item >= 0 {
                let operation = Int(item)
                restore(Int(problem.returnEntry[operation]))
                restore(Int(problem.callEntry[operation]))
                if !demandCount.isEmpty {
                    for fact in problem.liveDemands[operation] { demandCount[Int(fact)] &+= 1 }
                    for fact in problem.liveSupplies[operation] { supplyCount[Int(fact)] &+= 1 }
                }
            } else {
                let group = Int(~item)
                used[group] &-= 1
                let bit = Int(problem.groups[group].start &+ used[group])
                record[pendingWord &+ bit >> 6] &= ~(1 << UInt64(bit & 63))
                if !demandCount.isEmpty {
                    for fact in problem.groupDemands[group] { demandCount[Int(fact)] &+= 1 }
                    for fact in problem.groupSupplies[group] { supplyCount[Int(fact)] &+= 1 }
                }
            }
        }
    }

    private mutating func lift(_ entry: Int) {
        let (before, after) = (previous[entry], next[entry])
        next[Int(before)] = after
        previous[Int(after)] = before
    }

    private mutating func restore(_ entry: Int) {
        next[Int(previous[entry])] = Int32(entry)
        previous[Int(next[entry])] = Int32(entry)
    }

    // MARK: - States

    private mutating func number(of state: Model.State) -> Int32 {
        if let known = stateNumbers[state] { return known }
        let number = Int32(states.count)
        states.append(state)
        stateNumbers[state] = number
        return number
    }

    @inline(__always)
    private mutating func transition(
        _ state: Int32,
        _ number: Int32
    ) -> TransitionTable.Transition {
        let key = TransitionTable.key(state: state, class: number)
        if let known = transitions.value(key) { return known }
        return learn(key, state, number)
    }

    @inline(never)
    private mutating func learn(
        _ key: UInt64,
        _ state: Int32,
        _ classNumber: Int32
    ) -> TransitionTable.Transition {
        let operation = problem.classes[Int(classNumber)]
        var transition = TransitionTable.Transition.impossible
        if let step = problem.model.step(states[Int(state)], operation) {
            let next =
                problem.foresight.map { problem.model.collapsed(step, at: operation, $0) } ?? step
            transition.next = number(of: next)
            if transition.next != state, !demandCount.isEmpty {
                let before = problem.model.fact(of: states[Int(state)], at: operation)
                let after = problem.model.fact(of: next, at: operation)
                transition.lost = before.flatMap { problem.factNumbers[$0] } ?? -1
                transition.gained = after.flatMap { problem.factNumbers[$0] } ?? -1
            } else if !demandCount.isEmpty, let fact = problem.model.fact(of: next, at: operation) {
                transition.gained = problem.factNumbers[fact] ?? -1
                transition.lost = transition.gained
            }
        }
        transitions.insert(key, transition)
        return transition
    }

    // MARK: - Bounds and results

    private func exceeded() -> LinearizabilityBound? {
        // Comparing with visited configurations is work, too, where many share a place.
        if steps &+ work >> 5 > limits.steps { return .steps }
        guard steps & 0x3ff == 0 else { return nil }
        if memoryUsed > limits.memory.bytes { return .memory }
        if let isOver = limits.isOver, isOver() { return .time }
        return nil
    }

    private var memoryUsed: Int64 {
        let perState = MemoryLayout<Model.State>.stride * 4 + 32
        return Int64(memo.bytes + states.count * perState)
            + Int64(transitions.count * TransitionTable.bytesPerEntry)
    }

    var configurations: Int { memo.count }
    var stateCount: Int { states.count }

    /// Places in the history of what happened, in the order of `items`.
    func places(of items: [Int32]) -> [Int] {
        var taken = [Int32](repeating: 0, count: problem.groups.count)
        return items.map { item in
            if item >= 0 { return Int(problem.liveIndex[Int(item)]) }
            let group = Int(~item)
            let position = problem.groups[group].start + taken[group]
            taken[group] += 1
            return Int(problem.pendingIndex[Int(position)])
        }
    }

    /// The linearization that was found, or the deepest one that was tried.
    var linearization: [Int] { places(of: isDeepestStale ? trail : deepest) }
    var foundLinearization: [Int] { places(of: trail) }

    /// The place in the history of the operation whose return was never reached.
    var stuck: Int? {
        guard furthest >= 0, Int(furthest) < sentinel else { return nil }
        return Int(problem.liveIndex[Int(~problem.entries[Int(furthest)])])
    }
}
