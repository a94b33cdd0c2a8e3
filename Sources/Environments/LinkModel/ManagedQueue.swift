import Units

/// Items that wait for their turn, in one queue or in one a flow, with CoDel or without.
///
/// Follows RFC 8290, section 4, in the form of Linux (`sch_fq_codel.c`): flows that had nothing to
/// send are served first, once; an overflow drops half of the longest queue, at most 64 packets, from
/// its head. With a single queue what does not fit is dropped when offered, as `sch_codel` does.
struct ManagedQueue<Item: BitwiseCopyable> {
    /// A waiting item.
    struct Entry: BitwiseCopyable {
        var item: Item
        var enqueued: Instant
        var wireBytes: Int32
        var fragments: Int32
        var flow: UInt32
        var isECNCapable: Bool
        /// The next one of its queue, or of the unused ones.
        var next: Int32 = -1
    }

    struct Flow: BitwiseCopyable {
        var head: Int32 = -1
        var tail: Int32 = -1
        var bytes = 0
        var deficit = 0
        var isListed = false
        var control = CoDelState()
        /// The next one of its list.
        var next: Int32 = -1
    }

    /// Flows in the order of their turns.
    struct Turns: BitwiseCopyable {
        var head: Int32 = -1
        var tail: Int32 = -1
    }

    private(set) var bytes = 0
    private(set) var count = 0
    /// When something came to an empty queue.
    private(set) var nonEmptySince = Instant.zero

    var limit: Int
    private let quantum: Int
    private let control: ControlledDelay?
    private let isFair: Bool
    private let perturbation: UInt64
    private var entries: ContiguousArray<Entry> = []
    private var unused: Int32 = -1
    private var flows: ContiguousArray<Flow>
    private var fresh = Turns()
    private var settled = Turns()

    private static var dropBatch: Int { 64 }

    init(_ discipline: QueueDiscipline, limit: Int, perturbation: UInt64, filler: Item) {
        self.limit = limit
        self.perturbation = perturbation
        var queues = 1
        switch discipline {
        case .dropTail:
            (queues, quantum, control, isFair) = (0, 1, nil, false)
        case .coDel(let parameters):
            (quantum, control, isFair) = (.max / 4, parameters, false)
        case .fairCoDel(let fairness, let parameters):
            (queues, quantum, control, isFair) = (
                fairness.queues, fairness.quantum, parameters, true
            )
        case .fair(let fairness):
            (queues, quantum, control, isFair) = (fairness.queues, fairness.quantum, nil, true)
        }
        precondition(quantum > 0, "a turn of \(quantum) bytes would never end")
        precondition(
            (0...65_536).contains(queues) && (queues > 0 || discipline == .dropTail),
            "\(queues) queues"
        )
        flows = ContiguousArray(repeating: Flow(), count: queues)
    }

    @inline(__always)
    var isEmpty: Bool { count == 0 }

    // MARK: - In

    /// Takes an item, or not; what had to make room goes to `discarded`.
    mutating func enqueue(
        _ entry: Entry,
        inService: Int,
        counters: inout LinkCounters,
        discarded: inout ContiguousArray<Item>
    ) -> Bool {
        let size = Int(entry.wireBytes)
        let total = inService + bytes + size
        guard total <= limit || (isFair && size <= limit) else { return false }
        if isEmpty { nonEmptySince = entry.enqueued }
        let flow = queue(of: entry.flow)
        append(entry, to: flow)
        if !flows[flow].isListed {
            flows[flow].isListed = true
            flows[flow].deficit = quantum
            list(Int32(flow), fresh: true)
        }
        while inService + bytes > limit, count > 0 {
            dropFromLongest(counters: &counters, discarded: &discarded)
        }
        return true
    }

    /// Flows are told apart by a hash that only the seed knows (section 4.2).
    private func queue(of flow: UInt32) -> Int {
        var word = UInt64(flow) ^ perturbation
        word = (word ^ (word >> 30)) &* 0xBF58_476D_1CE4_E5B9
        word = (word ^ (word >> 27)) &* 0x94D0_49BB_1331_11EB
        word ^= word >> 31
        return Int(word % UInt64(flows.count))
    }

    private mutating func append(_ entry: Entry, to flow: Int) {
        var place = unused
        if place >= 0 {
            unused = entries[Int(place)].next
            entries[Int(place)] = entry
        } else {
            place = Int32(entries.count)
            entries.append(entry)
        }
        entries[Int(place)].next = -1
        if flows[flow].tail >= 0 {
            entries[Int(flows[flow].tail)].next = place
        } else {
            flows[flow].head = place
        }
        flows[flow].tail = place
        flows[flow].bytes += Int(entry.wireBytes)
        bytes += Int(entry.wireBytes)
        count += 1
    }

    private mutating func takeHead(of flow: Int) -> Entry? {
        let place = flows[flow].head
        guard place >= 0 else { return nil }
        let entry = entries[Int(place)]
        flows[flow].head = entry.next
        if entry.next < 0 { flows[flow].tail = -1 }
        flows[flow].bytes -= Int(entry.wireBytes)
        bytes -= Int(entry.wireBytes)
        count -= 1
        entries[Int(place)].next = unused
        unused = place
        return entry
    }

    private mutating func dropFromLongest(
        counters: inout LinkCounters,
        discarded: inout ContiguousArray<Item>
    ) {
        var longest = 0
        for flow in flows.indices where flows[flow].bytes > flows[longest].bytes {
            longest = flow
        }
        let goal = flows[longest].bytes / 2
        for _ in 0..<Self.dropBatch where flows[longest].bytes > goal {
            guard let entry = takeHead(of: longest) else { return }
            counters.droppedByQueue &+= 1
            discarded.append(entry.item)
        }
    }

    // MARK: - Out

    /// The item whose turn it is; `nil` when all were dropped.
    mutating func dequeue(
        at now: Instant,
        counters: inout LinkCounters,
        discarded: inout ContiguousArray<Item>
    ) -> (entry: Entry, isMarked: Bool)? {
        while true {
            let isFresh = fresh.head >= 0
            let turn = isFresh ? fresh.head : settled.head
            guard turn >= 0 else { return nil }
            let flow = Int(turn)
            if flows[flow].deficit <= 0 {
                flows[flow].deficit += quantum
                removeFirst(fresh: isFresh)
                list(turn, fresh: false)
                continue
            }
            if let next = controlled(flow, at: now, &counters, &discarded) {
                flows[flow].deficit -= Int(next.entry.wireBytes)
                return next
            }
            removeFirst(fresh: isFresh)
            if isFresh, settled.head >= 0 {
                // Or a flow could stay new for ever by sending one packet at a time.
                list(turn, fresh: false)
            } else {
                flows[flow].isListed = false
            }
        }
    }

    /// The next item of a queue that CoDel lets through.
    private mutating func controlled(
        _ flow: Int,
        at now: Instant,
        _ counters: inout LinkCounters,
        _ discarded: inout ContiguousArray<Item>
    ) -> (entry: Entry, isMarked: Bool)? {
        guard let control else { return takeHead(of: flow).map { ($0, false) } }
        var turn = CoDelState.Turn.first
        while let entry = takeHead(of: flow) {
            let wasDropping = flows[flow].control.isDropping
            let decision = flows[flow].control.decide(
                turn,
                waited: now - entry.enqueued,
                backlog: bytes,
                canMark: control.marks && entry.isECNCapable,
                at: now,
                control
            )
            switch decision {
            case .send: return (entry, false)
            case .mark:
                counters.marked &+= 1
                return (entry, true)
            case .drop:
                counters.droppedEarly &+= 1
                discarded.append(entry.item)
                turn = wasDropping ? .afterDropWhileDropping : .afterFirstDrop
            }
        }
        flows[flow].control.queueIsEmpty(turn)
        return nil
    }

    /// Forgets everything; what waited goes to `discarded`.
    mutating func removeAll(into discarded: inout ContiguousArray<Item>) {
        for flow in flows.indices {
            while let entry = takeHead(of: flow) { discarded.append(entry.item) }
        }
    }

    // MARK: - Turns

    private mutating func list(_ flow: Int32, fresh isFresh: Bool) {
        flows[Int(flow)].next = -1
        let tail = isFresh ? fresh.tail : settled.tail
        if tail >= 0 { flows[Int(tail)].next = flow }
        if isFresh {
            fresh = Turns(head: tail >= 0 ? fresh.head : flow, tail: flow)
        } else {
            settled = Turns(head: tail >= 0 ? settled.head : flow, tail: flow)
        }
    }

    private mutating func removeFirst(fresh isFresh: Bool) {
        if isFresh {
            fresh.head = flows[Int(fresh.head)].next
            if fresh.head < 0 { fresh.tail = -1 }
        } else {
            settled.head = flows[Int(settled.head)].next
            if settled.head < 0 { settled.tail = -1 }
        }
    }
}
