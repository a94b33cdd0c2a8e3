public import SimulationKernel
public import Units

/// The timers that are set on one node, each once.
///
/// Most nodes have a few, which are compared one by one. Once more than ``scanLimit`` were set at a time, they
/// are looked up by their hash.
public struct TimerTable<Timer: Hashable> {
    private var entries = SlotTable<Entry>()
    private var slots: [Timer: UInt32] = [:]
    private var isHashed = false

    public struct Entry {
        public let timer: Timer
        /// On the node's own clock.
        public var due: Instant
        /// None while that clock stands still.
        public var token: EventToken
    }

    static var scanLimit: UInt32 { 16 }

    public init() {}

    /// The slot of a timer that is set. Mutating, because the state around it would be copied otherwise.
    public mutating func slot(of timer: Timer) -> UInt32? {
        isHashed ? slots[timer] : entries.first(where: { $0.timer == timer })
    }

    /// Adds a timer that is not set.
    public mutating func insert(_ timer: Timer, due: Instant) -> UInt32 {
        let slot = entries.insert(Entry(timer: timer, due: due, token: .none))
        if isHashed {
            slots[timer] = slot
        } else if slot >= TimerTable.scanLimit {
            isHashed = true
            for slot in entries.occupied { slots[entries[slot].timer] = slot }
        }
        return slot
    }

    public mutating func take(_ slot: UInt32) -> Entry {
        let entry = entries.take(slot)
        if isHashed { slots[entry.timer] = nil }
        return entry
    }

    public subscript(slot: UInt32) -> Entry {
        get { entries[slot] }
        set { entries[slot] = newValue }
    }

    public func value(at slot: UInt32) -> Entry? { entries.value(at: slot) }

    /// The slots in use, ascending.
    public var occupied: [UInt32] { entries.occupied }
}
