/// One part of a history, cut at a position and laid out for the search: numbers instead of values.
///
/// Answered operations are *live*: they must happen between their call and their return. Unanswered
/// ones may happen at any time after their call, or never. Equal unanswered operations are
/// interchangeable, so they form a group of which only the number used so far matters; the earliest
/// call is used first.
struct SearchProblem<Model: SequentialModel> {
    let model: Model
    /// Distinct operations; everything else names them by number.
    private(set) var classes: [Model.Operation] = []
    private(set) var isReadOnly: [Bool] = []
    private(set) var footprints: [UInt64] = []

    /// Live operations in the order of their calls: class, place in the history, entries.
    private(set) var liveClass: [Int32] = []
    private(set) var liveIndex: [Int32] = []
    private(set) var callEntry: [Int32] = []
    private(set) var returnEntry: [Int32] = []
    /// The bit of each live operation among those of its kind that are open at the same time.
    private(set) var liveBit: [Int32] = []
    private(set) var changeBits = 0
    private(set) var readBits = 0

    /// Calls and returns of live operations in order: the operation, complemented for returns.
    private(set) var entries: [Int32] = []

    /// Groups of equal unanswered operations, in the order of their first calls.
    private(set) var groups: [Group] = []
    /// Unanswered operations group by group, by call: the entry that follows the call, and the
    /// place in the history.
    private(set) var pendingEntry: [Int32] = []
    private(set) var pendingIndex: [Int32] = []

    private(set) var initialState: Model.State
    /// Facts: number of live demands, number of suppliers, and who they are, by live operation and
    /// by group.
    private(set) var demandCount: [Int32] = []
    private(set) var supplyCount: [Int32] = []
    private(set) var factNumbers: [Model.Fact: Int32] = [:]
    /// `nil` without foresight.
    private(set) var foresight: Foresight<Model.Fact>?
    private(set) var liveDemands: [[Int32]] = []
    private(set) var liveSupplies: [[Int32]] = []
    private(set) var groupSupplies: [[Int32]] = []
    private(set) var groupDemands: [[Int32]] = []

    struct Group {
        var number: Int32
        /// Its operations in `pendingEntry`.
        var start: Int32
        var count: Int32
    }

    /// - Parameters:
    ///   - part: the operations of one part in the order of their calls.
    ///   - indices: their places in the history.
    ///   - cut: only what happened up to this position counts.
    init(
        _ model: Model,
        _ part: [ObservedOperation<Model.Operation>],
        indices: [Int],
        cut: Int,
        dropsUnobserved: Bool,
        usesForesight: Bool,
        dropped: inout Int
    ) {
        self.model = model
        initialState = model.initialState(of: part.map(\.operation))
        var kept: [ObservedOperation<Model.Operation>] = []
        var places: [Int] = []
        for (observed, index) in zip(part, indices) where observed.called <= cut {
            var observed = observed
            if let end = observed.returned, end > cut { observed.returned = nil }
            if observed.returned == nil {
                guard let open = model.unanswered(observed.operation) else { continue }
                observed.operation = open
            }
            kept.append(observed)
            places.append(index)
        }
        if dropsUnobserved {
            let useless = Set(model.unobserved(kept))
            dropped += useless.count
            places = kept.indices.filter { !useless.contains($0) }.map { places[$0] }
            kept = kept.indices.filter { !useless.contains($0) }.map { kept[$0] }
        }
        for (position, operation) in model.simplified(kept.map(\.operation)).enumerated() {
            kept[position].operation = operation
        }
        lay(kept, places)
        if usesForesight { foresee() }
        if liveDemands.isEmpty {
            liveDemands = Array(repeating: [], count: liveClass.count)
            liveSupplies = liveDemands
            groupSupplies = Array(repeating: [], count: groups.count)
            groupDemands = groupSupplies
        }
    }

    // MARK: - Layout

    private mutating func lay(_ kept: [ObservedOperation<Model.Operation>], _ places: [Int]) {
        var numbers: [Model.Operation: Int32] = [:]
        var classOf: [Int32] = []
        for observed in kept {
            let operation = observed.operation
            if let known = numbers[operation] {
                classOf.append(known)
            } else {
                let number = Int32(classes.count)
                numbers[operation] = number
                classOf.append(number)
                classes.append(operation)
                isReadOnly.append(model.isReadOnly(operation))
                footprints.append(model.footprint(operation))
            }
        }
        var events: [(position: Int, item: Int32)] = []
        for position in kept.indices {
            events.append((kept[position].called, Int32(position)))
            if let end = kept[position].returned { events.append((end, ~Int32(position))) }
        }
        events.sort { $0.position < $1.position }
        placeLive(kept, places, classOf, events)
    }

    private mutating func placeLive(
        _ kept: [ObservedOperation<Model.Operation>],
        _ places: [Int],
        _ classOf: [Int32],
        _ events: [(position: Int, item: Int32)]
    ) {
        var live = [Int32](repeating: -1, count: kept.count)
        var pending: [(class: Int32, entry: Int32, index: Int32)] = []
        var free = [FreeBits(), FreeBits()]
        for event in events {
            let position = Int(event.item < 0 ? ~event.item : event.item)
            let number = classOf[position]
            let kind = isReadOnly[Int(number)] ? 1 : 0
            let entry = Int32(entries.count)
            if event.item < 0 {
                let operation = live[position]
                returnEntry[Int(operation)] = entry
                free[kind].release(liveBit[Int(operation)])
                entries.append(~operation)
            } else if kept[position].returned == nil {
                pending.append((number, entry, Int32(places[position])))
            } else {
                let operation = Int32(liveClass.count)
                live[position] = operation
                liveClass.append(number)
                liveIndex.append(Int32(places[position]))
                callEntry.append(entry)
                returnEntry.append(entry)
                liveBit.append(free[kind].take())
                entries.append(operation)
            }
        }
        changeBits = free[0].width
        readBits = free[1].width
        group(pending)
    }

    private mutating func group(_ pending: [(class: Int32, entry: Int32, index: Int32)]) {
        var members: [[Int]] = []
        var groupOf: [Int32: Int] = [:]
        for (position, operation) in pending.enumerated() {
            if let known = groupOf[operation.class] {
                members[known].append(position)
            } else {
                groupOf[operation.class] = members.count
                members.append([position])
            }
        }
        for member in members {
            groups.append(
                Group(
                    number: pending[member[0]].class,
                    start: Int32(pendingEntry.count),
                    count: Int32(member.count)
                )
            )
            for position in member {
                pendingEntry.append(pending[position].entry)
                pendingIndex.append(pending[position].index)
            }
        }
    }

    private mutating func foresee() {
        var counts = Array(repeating: 0, count: classes.count)
        for number in liveClass { counts[Int(number)] += 1 }
        for group in groups { counts[Int(group.number)] += Int(group.count) }
        let foresight = model.foresight(classes, counts: counts)
        self.foresight = foresight
        factNumbers = foresight.numbers
        guard !factNumbers.isEmpty else { return }
        demandCount = Array(repeating: 0, count: factNumbers.count)
        supplyCount = demandCount
        liveDemands = liveClass.map { foresight.demands[Int($0)] }
        liveSupplies = liveClass.map { foresight.supplies[Int($0)] }
        groupSupplies = groups.map { foresight.supplies[Int($0.number)] }
        groupDemands = groups.map { foresight.demands[Int($0.number)] }
        for (group, facts) in zip(groups, groupDemands) {
            for fact in facts { demandCount[Int(fact)] += group.count }
        }
        for fact in liveDemands.joined() { demandCount[Int(fact)] += 1 }
        for fact in liveSupplies.joined() { supplyCount[Int(fact)] += 1 }
        for (group, facts) in zip(groups, groupSupplies) {
            for fact in facts { supplyCount[Int(fact)] += group.count }
        }
    }
}

/// Hands out the smallest bit that is free.
private struct FreeBits {
    private var released: [Int32] = []
    private(set) var width = 0

    mutating func take() -> Int32 {
        if let bit = released.popLast() { return bit }
        width += 1
        return Int32(width - 1)
    }

    mutating func release(_ bit: Int32) { released.append(bit) }
}
