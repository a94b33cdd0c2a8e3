/// Elements with consecutive numbers, of which the oldest leave first: a ring indexed by sequence
/// number, with at most `limit` numbers between the oldest and the newest.
struct SequenceWindow<Element: Sendable>: Sendable {
    /// The oldest number that may be present; all below have left.
    private(set) var base: UInt64 = 0
    private var ring: [Element?] = []

    static var limit: UInt64 { 4_096 }

    init() {}

    /// Whether the number lies in the window.
    func admits(_ number: UInt64) -> Bool {
        number >= base && number - base < Self.limit
    }

    subscript(_ number: UInt64) -> Element? {
        get {
            guard number >= base, number - base < UInt64(ring.count) else { return nil }
            return ring[index(number)]
        }
        set {
            precondition(admits(number), "number \(number) outside the window from \(base)")
            if number - base >= UInt64(ring.count) { grow(for: number) }
            ring[index(number)] = newValue
        }
    }

    /// All that are present, oldest first.
    var elements: [(number: UInt64, element: Element)] {
        (base..<base + UInt64(ring.count)).compactMap { number in
            self[number].map { (number, $0) }
        }
    }

    /// Changes an element in place. Traps when the number is absent.
    mutating func update(_ number: UInt64, _ change: (inout Element) -> Void) {
        change(&ring[index(number)]!)
    }

    /// Takes the oldest element out and moves the window on; `nil` when the oldest is absent.
    mutating func popFirst() -> Element? {
        guard !ring.isEmpty, let element = ring[index(base)] else { return nil }
        ring[index(base)] = nil
        base += 1
        return element
    }

    /// Moves the window past an absent oldest number.
    mutating func skipFirst() {
        precondition(self[base] == nil, "number \(base) is still present")
        base += 1
    }

    mutating func removeAll() { ring.removeAll() }

    private func index(_ number: UInt64) -> Int { Int(number & UInt64(ring.count - 1)) }

    private mutating func grow(for number: UInt64) {
        var capacity = max(16, ring.count)
        while number - base >= UInt64(capacity) { capacity *= 2 }
        var larger = [Element?](repeating: nil, count: capacity)
        for offset in 0..<UInt64(ring.count) {
            larger[Int((base + offset) & UInt64(capacity - 1))] = ring[index(base + offset)]
        }
        ring = larger
    }
}
