/// Values waiting for an event: the event carries only the slot, the value stays here until it is
/// taken out once.
public struct SlotTable<Element> {
    private var entries: [Element?] = []
    private var free: [UInt32] = []

    public init() {}

    /// Stores a value and names its slot; slots are used again after `take`.
    public mutating func insert(_ element: consuming Element) -> UInt32 {
        if let slot = free.popLast() {
            entries[Int(slot)] = element
            return slot
        }
        entries.append(element)
        return UInt32(entries.count - 1)
    }

    /// Takes the value out. Traps when the slot is empty.
    public mutating func take(_ slot: UInt32) -> Element {
        guard let element = entries[Int(slot)].take() else {
            preconditionFailure("slot \(slot) is empty")
        }
        free.append(slot)
        return element
    }

    public subscript(slot: UInt32) -> Element {
        get {
            guard let element = entries[Int(slot)] else {
                preconditionFailure("slot \(slot) is empty")
            }
            return element
        }
        set { entries[Int(slot)] = newValue }
    }

    /// The value, or `nil` when the slot is empty.
    public func value(at slot: UInt32) -> Element? { entries[Int(slot)] }

    /// The lowest slot whose value is as described; looks at all of them.
    public func first(where isSought: (Element) -> Bool) -> UInt32? {
        for place in entries.indices {
            if let element = entries[place], isSought(element) { return UInt32(place) }
        }
        return nil
    }

    /// The slots in use, ascending.
    public var occupied: [UInt32] {
        entries.indices.filter { entries[$0] != nil }.map { UInt32($0) }
    }
}
