import Determinism
public import Units

/// One direction of a link: a queue, a rate or a trace, loss and other faults, a delay.
///
/// A pure value that knows neither an event queue nor a socket: it takes items with their size and
/// the time, and gives them back when they are through. The simulation moves its packets through
/// it, an emulator real ones, so that both share every line that decides about a packet. Use:
/// `offer` what comes, call `takeArrival` at `nextEvent` until it returns `nil`, look at `discarded`
/// after every call. Times must not decrease; a caller that is late gets the arrivals late, but
/// each decision is made for the time at which it was due.
///
/// With drop-tail a packet's whole way is decided when it is offered. The other disciplines decide
/// when a packet's turn comes, so that the end of a transmission is an event too while packets wait.
///
/// Memory is bounded by `queueLimit` and by what the rate can put into the longest delay.
public struct LinkPipe<Item: BitwiseCopyable> {
    /// What became of an offered item.
    public enum Fate: UInt8, Sendable {
        /// It arrives, or it waits in a queue whose discipline has the last word: see `discarded`.
        case carried
        case droppedByQueue
        case droppedByLoss
        case droppedByOutage
    }

    /// An item that is through.
    public struct Arrival: BitwiseCopyable {
        public var item: Item
        /// When it was due.
        public var time: Instant
        public var wireBytes: Int
        public var flags: PassageFlags
    }

    /// An item that has left the queue, or has an appointed time to leave it.
    struct Transit: BitwiseCopyable {
        var item: Item
        var departure: Instant
        var arrival: Instant
        var wireBytes: Int32
        var flags: PassageFlags
    }

    /// An item that waits or is being sent, with an appointed time.
    struct Waiting: BitwiseCopyable {
        var departure: Instant
        var wireBytes: Int32
    }

    public let parameters: LinkParameters
    public private(set) var isUp = true
    /// Items that were accepted and will not arrive: dropped by the discipline or by loss when their
    /// turn came, or by an outage. The caller empties it.
    public var discarded: ContiguousArray<Item> = []

    private var clock: RateClock
    private var waiting = Ring(filler: Waiting(departure: .zero, wireBytes: 0))
    private var transit: Ring<Transit>
    /// Waiting or being sent, with appointed times.
    private var waitingBytes = 0
    private var busyUntil = Instant.zero
    /// Of the last item that overtakes nothing and is overtaken by nothing.
    private var lastDeparture = Instant.zero
    private var lastArrival = Instant.zero
    private var extraDelay = Interval.zero
    /// Items without an appointed time; unused with drop-tail.
    private var managed: ManagedQueue<Item>
    private let isManaged: Bool
    private var loss: LossProcess
    private var extraLoss: LossProcess
    /// Wire bytes of the longest packet that passes.
    private var longestFrame = Int.max
    /// How long a full packet takes at the present rate.
    private var packetTime: Interval
    private var hasLoss: Bool
    private var hasExtraLoss = false
    private let hasFaults: Bool
    /// What faults do to packets besides what the link itself does.
    private var extra: ExtraFaults
    private var hasExtraFaults = false
    /// Whether nothing overtakes but what is held back.
    private var keepsOrder: Bool
    /// Bytes that may wait or be sent.
    private var queueLimit: Int
    private var jitter: SeededRandom
    private var duplication: SeededRandom
    private var corruption: SeededRandom
    private var reordering: SeededRandom
    private var counters = LinkCounters()
    private var budget: RateBudget

    /// - Parameters:
    ///   - entity: with `seed`, names the pipe's random streams.
    ///   - filler: any item; takes the room of items that are not there.
    public init(_ parameters: LinkParameters, entity: EntityID, seed: UInt64, filler: Item) {
        self.parameters = parameters
        clock = RateClock(parameters)
        packetTime = clock.fullPacketTime
        budget = RateBudget(parameters, rate: clock.rate)
        let stream = { (purpose: StaticString) in
            SeededRandom(seed: seed, entity: entity, purpose: purpose)
        }
        loss = LossProcess(parameters.loss, random: stream("loss"))
        extraLoss = LossProcess(.none, random: stream("extra loss"))
        jitter = stream("jitter")
        duplication = stream("duplication")
        corruption = stream("corruption")
        reordering = stream("reordering")
        hasLoss = parameters.loss != .none
        hasFaults = parameters.faults != .none
        extra = ExtraFaults(entity: entity, seed: seed)
        keepsOrder = !parameters.jitter.reorders
        queueLimit = Int(parameters.queueLimit.bytes)
        isManaged = parameters.discipline != .dropTail
        var perturbation = stream("flow hash")
        managed = ManagedQueue(
            parameters.discipline,
            limit: Int(clamping: parameters.queueLimit.bytes),
            perturbation: isManaged ? perturbation.next() : 0,
            filler: filler
        )
        transit = Ring(
            filler: Transit(
                item: filler,
                departure: .zero,
                arrival: .zero,
                wireBytes: 0,
                flags: []
            )
        )
    }

    // MARK: - Items

    /// When something is due; `distantFuture` while nothing is under way.
    @inline(__always)
    public var nextEvent: Instant {
        let arrival = transit.first?.arrival ?? .distantFuture
        guard isManaged, !managed.isEmpty else { return arrival }
        return min(arrival, busyUntil)
    }

    /// Takes an item or drops it.
    ///
    /// - Parameters:
    ///   - wireBytes: its size on the wire, headers included; the rate carries these.
    ///   - fragments: the packets it consists of; any of them lost, all is lost.
    ///   - flow: which flow it belongs to, for disciplines that tell flows apart.
    ///   - isECNCapable: whether the sender understands marks (RFC 3168).
    public mutating func offer(
        _ item: Item,
        wireBytes: Int,
        fragments: Int = 1,
        flow: UInt32 = 0,
        isECNCapable: Bool = false,
        at now: Instant
    ) -> Fate {
        if isManaged { serve(until: now) }
        drain(until: now)
        counters.offeredPackets &+= 1
        counters.offeredBytes &+= UInt64(wireBytes)
        // A fragmented packet has a full first fragment.
        let longest = fragments > 1 ? LinkPipe.fullFrame : wireBytes
        guard isUp, longest <= longestFrame else {
            counters.droppedByOutage &+= 1
            return .droppedByOutage
        }
        if isManaged {
            let entry = ManagedQueue<Item>.Entry(
                item: item,
                enqueued: now,
                wireBytes: Int32(wireBytes),
                fragments: Int32(fragments),
                flow: flow,
                isECNCapable: isECNCapable
            )
            return enqueue(entry, at: now)
        }
        guard waitingBytes + wireBytes <= queueLimit else {
            counters.droppedByQueue &+= 1
            return .droppedByQueue
        }
        let departure = transmit(wireBytes, at: now, offered: now)
        counters.peakQueue = max(counters.peakQueue, ByteCount(waitingBytes))
        return launch(item, wireBytes, fragments, flags: [], leaving: departure)
            ? .carried : .droppedByLoss
    }

    /// An item whose time has come, or `nil` when there is none (more) by `now`.
    public mutating func takeArrival(at now: Instant) -> Arrival? {
        if isManaged { serve(until: now) }
        guard let first = transit.first, first.arrival <= now else { return nil }
        transit.removeFirst()
        counters.arrivedPackets &+= 1
        counters.arrivedBytes &+= UInt64(first.wireBytes)
        return Arrival(
            item: first.item,
            time: first.arrival,
            wireBytes: Int(first.wireBytes),
            flags: first.flags
        )
    }

    // MARK: - Transmission

    /// Appoints the time at which an item has left the queue.
    @inline(__always)
    private mutating func transmit(_ wireBytes: Int, at now: Instant, offered: Instant) -> Instant {
        let start = max(now, busyUntil)
        let departure = clock.departure(of: wireBytes, from: start, offered: offered)
        counters.busy += departure - start
        busyUntil = departure
        waiting.append(Waiting(departure: departure, wireBytes: Int32(wireBytes)))
        waitingBytes += wireBytes
        budget.note(wireBytes)
        return departure
    }

    /// Decides what befalls an item behind the queue; `false` when it is lost.
    @inline(__always)
    private mutating func launch(
        _ item: Item,
        _ wireBytes: Int,
        _ fragments: Int,
        flags: PassageFlags,
        leaving departure: Instant
    ) -> Bool {
        if isLost(fragments, leaving: departure) {
            counters.droppedByLoss &+= 1
            return false
        }
        var arrival = departure + parameters.propagation + extraDelay + drawJitter()
        var flags = flags
        var copies = false
        var isHeld = false
        if hasFaults { (copies, isHeld) = befall(&flags, fragments) }
        if isHeld { arrival += parameters.faults.hold }
        if hasExtraFaults {
            let strike = extra.strike(&flags, fragments, at: departure, counters: &counters)
            arrival += strike.delay
            copies = copies || strike.copies
            isHeld = isHeld || strike.isHeld
        }
        if !isHeld, keepsOrder {
            arrival = max(
                arrival,
                LinkPipe.soonest(leaving: departure, behind: lastDeparture, lastArrival)
            )
            lastDeparture = departure
            lastArrival = arrival
        }
        let entry = Transit(
            item: item,
            departure: departure,
            arrival: arrival,
            wireBytes: Int32(wireBytes),
            flags: flags
        )
        insert(entry)
        if copies { insertCopy(of: entry) }
        return true
    }

    /// When an item arrives at the soonest that must not overtake the one in front of it.
    ///
    /// What a longer delay of one item held up does not arrive all at once: the time between two items
    /// is at least half of what it was when they left, as on a line of twice the rate. Then no wait is
    /// longer than the longest delay, and the wait is over after as long again.
    @inline(__always)
    private static func soonest(
        leaving departure: Instant,
        behind previous: Instant,
        _ previousArrival: Instant
    ) -> Instant {
        let gap = max(0, (departure - previous).nanoseconds)
        return previousArrival + Interval(nanoseconds: gap / 2)
    }

    private mutating func isLost(_ fragments: Int, leaving: Instant) -> Bool {
        guard hasLoss || hasExtraLoss else { return false }
        var isLost = false
        // Every fragment and both processes draw, so that a loss shifts no later draw.
        for _ in 0..<fragments {
            if loss.next(at: leaving, packetTime: packetTime) { isLost = true }
            if extraLoss.next(at: leaving, packetTime: packetTime) { isLost = true }
        }
        return isLost
    }

    @inline(never)
    private mutating func befall(
        _ flags: inout PassageFlags,
        _ fragments: Int
    ) -> (copies: Bool, isHeld: Bool) {
        let faults = parameters.faults
        let copies = duplication.chance(faults.duplicate)
        for _ in 0..<fragments where corruption.chance(faults.corrupt) {
            flags.insert(.corrupted)
        }
        if flags.contains(.corrupted) { counters.corrupted &+= 1 }
        let isHeld = reordering.chance(faults.reorder)
        if isHeld { counters.reordered &+= 1 }
        if copies {
            flags.insert(.hasCopy)
            counters.duplicated &+= 1
        }
        return (copies, isHeld)
    }

    private mutating func insertCopy(of entry: Transit) {
        var copy = entry
        copy.flags.remove(.hasCopy)
        copy.flags.insert(.isCopy)
        insert(copy)
    }

    private mutating func drawJitter() -> Interval {
        guard parameters.jitter.distribution != .none else { return .zero }
        return parameters.jitter.draw(&jitter)
    }

    /// Keeps the ring in order of arrival; only reordering links ever move anything.
    private mutating func insert(_ entry: Transit) {
        transit.append(entry)
        var place = transit.end - 1
        guard place > transit.start, transit[place - 1].arrival > entry.arrival else { return }
        while place > transit.start, transit[place - 1].arrival > entry.arrival {
            transit[place] = transit[place - 1]
            place -= 1
        }
        transit[place] = entry
    }

    // MARK: - Managed queues

    private mutating func enqueue(_ entry: ManagedQueue<Item>.Entry, at now: Instant) -> Fate {
        let isTaken = managed.enqueue(
            entry,
            inService: waitingBytes,
            counters: &counters,
            discarded: &discarded
        )
        guard isTaken else {
            counters.droppedByQueue &+= 1
            return .droppedByQueue
        }
        counters.peakQueue = max(counters.peakQueue, ByteCount(waitingBytes + managed.bytes))
        serve(until: now)
        return .carried
    }

    /// Starts every transmission whose time has come; there is one at a time.
    @inline(never)
    private mutating func serve(until now: Instant) {
        while !managed.isEmpty, busyUntil <= now {
            // When the last transmission ended, or when something came to an idle link.
            let turn = max(busyUntil, managed.nonEmptySince)
            guard
                let next = managed.dequeue(
                    at: turn,
                    counters: &counters,
                    discarded: &discarded
                )
            else { continue }
            drain(until: turn)
            let departure = transmit(
                Int(next.entry.wireBytes),
                at: turn,
                offered: next.entry.enqueued
            )
            let isCarried = launch(
                next.entry.item,
                Int(next.entry.wireBytes),
                Int(next.entry.fragments),
                flags: next.isMarked ? .marked : [],
                leaving: departure
            )
            if !isCarried { discarded.append(next.entry.item) }
        }
    }

    // MARK: - Queue

    /// Accounts for everything that has left the queue by now.
    private mutating func drain(until now: Instant) {
        while let first = waiting.first, first.departure <= now {
            waiting.removeFirst()
            waitingBytes -= Int(first.wireBytes)
            counters.departedPackets &+= 1
            counters.departedBytes &+= UInt64(first.wireBytes)
        }
    }

    public mutating func countRuleDrop() { counters.droppedByRule &+= 1 }

    /// Bytes waiting or being sent.
    // Inlined, like the counters: the whole pipe would be copied for a call.
    @inline(__always)
    public func occupancy(at now: Instant) -> ByteCount {
        var bytes = waitingBytes + managed.bytes
        var position = waiting.start
        while position < waiting.end, waiting[position].departure <= now {
            bytes -= Int(waiting[position].wireBytes)
            position += 1
        }
        return ByteCount(bytes)
    }

    /// What happened until now. Traps when the link carried more than its rate.
    @inline(__always)
    public func counters(at now: Instant) -> LinkCounters {
        // As ``drain(until:)`` would leave them.
        var counters = counters
        var position = waiting.start
        while position < waiting.end, waiting[position].departure <= now {
            counters.departedPackets &+= 1
            counters.departedBytes &+= UInt64(waiting[position].wireBytes)
            position += 1
        }
        budget.check(departed: counters.departedBytes, at: now)
        // Transmission that was planned and lies ahead is not yet busy time.
        if busyUntil > now, position < waiting.end {
            counters.busy = counters.busy - (busyUntil - now)
        }
        return counters
    }

    // MARK: - Changes

    /// Adds to the propagation delay of packets that leave the queue from now on.
    public mutating func setExtraDelay(_ delay: Interval) { extraDelay = delay }

    /// Drops packets longer than this from now on, IP header included; counted as an outage's drops.
    public mutating func setPacketLimit(_ limit: ByteCount?) {
        longestFrame = limit.map { Int($0.bytes) + LinkPipe.framing } ?? .max
    }

    /// Bytes of the frame around an IP packet, and those of a full one.
    private static var framing: Int { 14 }
    private static var fullFrame: Int { 1_514 }

    /// Loses packets besides the link's own loss.
    public mutating func setExtraLoss(_ model: LossModel) {
        extraLoss.use(model)
        hasExtraLoss = model != .none
    }

    /// Does more to packets from now on than the link itself does, with random streams of its own.
    public mutating func setExtraFaults(_ trouble: PacketTrouble, jitter: Jitter) {
        extra.use(trouble, jitter: jitter)
        hasExtraFaults = trouble != .none || jitter != .none
        keepsOrder = !parameters.jitter.reorders && !jitter.reorders
    }

    /// Lets so many bytes wait from now on; what waits already may stay. `nil` for the link's own limit.
    public mutating func setQueueLimit(_ limit: ByteCount?) {
        queueLimit = Int(clamping: (limit ?? parameters.queueLimit).bytes)
        managed.limit = queueLimit
    }

    /// Takes the link down or up. Down, what waits goes to `discarded`; what has left the queue
    /// arrives.
    public mutating func setUp(_ up: Bool, at now: Instant) {
        if isManaged { serve(until: now) }
        drain(until: now)
        isUp = up
        guard !up else { return }
        counters.droppedByOutage &+= UInt64(waiting.count + managed.count)
        if busyUntil > now { counters.busy = counters.busy - (busyUntil - now) }
        busyUntil = min(busyUntil, now)
        clock.rewind(to: now)
        waiting.truncate(at: waiting.start)
        waitingBytes = 0
        var lost: ContiguousArray<Item> = []
        keepTransit { entry in
            if entry.departure <= now { return entry }
            if !entry.flags.contains(.isCopy) { lost.append(entry.item) }
            return nil
        }
        discarded += lost
        managed.removeAll(into: &discarded)
        lastArrival = transit.isEmpty ? .zero : transit[transit.end - 1].arrival
        lastDeparture = transit.isEmpty ? .zero : transit[transit.end - 1].departure
    }

    /// What is being sent and what waits goes on at the new rate, which takes a trace's place too.
    public mutating func setRate(_ newRate: BitRate, at now: Instant) {
        if isManaged { serve(until: now) }
        drain(until: now)
        let old = clock
        clock.set(newRate)
        budget.change(to: clock.rate, at: now)
        goOn(at: now, old)
    }

    /// What is being sent and what waits goes on along a trace, which began at `start`.
    public mutating func follow(_ trace: RateTrace, since start: Instant, at now: Instant) {
        if isManaged { serve(until: now) }
        drain(until: now)
        let old = clock
        clock.follow(trace, since: start)
        budget.change(to: trace, since: start, at: now)
        goOn(at: now, old)
    }

    /// Appoints new times to what is being sent and what waits, after the rate has changed.
    private mutating func goOn(at now: Instant, _ old: RateClock) {
        packetTime = clock.fullPacketTime
        guard !waiting.isEmpty else { return }
        counters.busy = counters.busy - (busyUntil - now)
        var moved: [(old: Instant, new: Instant)] = []
        var end = now
        for position in waiting.start..<waiting.end {
            let entry = waiting[position]
            if position == waiting.start {
                end = endOfFirst(entry, at: now, old)
            } else {
                end = clock.departure(of: Int(entry.wireBytes), from: end, offered: end)
            }
            waiting[position].departure = end
            moved.append((entry.departure, end))
        }
        busyUntil = end
        counters.busy += end - now
        var latest: (departure: Instant, arrival: Instant) = (.zero, .zero)
        let keepsOrder = keepsOrder
        keepTransit { entry in
            var entry = entry
            if let move = moved.first(where: { $0.old == entry.departure }) {
                entry.departure = move.new
                entry.arrival += move.new - move.old
            }
            if keepsOrder {
                let soonest = LinkPipe.soonest(
                    leaving: entry.departure,
                    behind: latest.departure,
                    latest.arrival
                )
                entry.arrival = max(entry.arrival, soonest)
                latest = (entry.departure, entry.arrival)
            }
            return entry
        }
        if keepsOrder {
            lastDeparture = latest.departure
            lastArrival = max(latest.arrival, now)
        }
    }

    /// When the packet in service is through at the new rate; what it still takes is rounded up.
    private mutating func endOfFirst(
        _ entry: Waiting,
        at now: Instant,
        _ old: RateClock
    ) -> Instant {
        if clock.isTraced || old.isTraced {
            let bits = min(Double(entry.wireBytes) * 8, old.bits(from: now, to: entry.departure))
            let left = Int(bits / 8) + 1
            guard !clock.isTraced else {
                return clock.departure(of: left, from: now, offered: now)
            }
            return now + clock.rate.serializationTime(of: ByteCount(left))
        }
        let rest = (entry.departure - now).nanoseconds.magnitude
        let product = rest.multipliedFullWidth(by: UInt64(old.rate.bitsPerSecond))
        let scaled = UInt64(clock.rate.bitsPerSecond).dividingFullWidth(product).quotient
        return now + Interval(nanoseconds: Int64(scaled) + 1)
    }

    /// Rewrites what is on its way, in order.
    private mutating func keepTransit(_ change: (Transit) -> Transit?) {
        var kept: [Transit] = []
        for position in transit.start..<transit.end {
            if let entry = change(transit[position]) { kept.append(entry) }
        }
        transit.truncate(at: transit.start)
        for entry in kept { insert(entry) }
    }
}

/// What befell an item on its way.
public struct PassageFlags: OptionSet, BitwiseCopyable, Hashable, Sendable {
    public let rawValue: UInt8

    public init(rawValue: UInt8) { self.rawValue = rawValue }

    /// The queue was congested, and the item's sender understands marks (CE, RFC 3168).
    public static let marked = PassageFlags(rawValue: 1)
    /// Some bits are wrong. The pipe does not touch the item: its owner spoils or drops it.
    public static let corrupted = PassageFlags(rawValue: 2)
    /// A copy of the item follows, not necessarily at once.
    public static let hasCopy = PassageFlags(rawValue: 4)
    public static let isCopy = PassageFlags(rawValue: 8)
}
