/// A first-in-first-out queue of trivial values in one growing circular array.
///
/// Positions are absolute: the first element ever appended has position zero, so that positions
/// stay valid while elements leave at the front.
public struct Ring<Element: BitwiseCopyable> {
    private var storage: ContiguousArray<Element>
    private var mask: Int
    /// Position of the first element, and one past the last.
    public private(set) var start = 0
    public private(set) var end = 0

    public init(filler: Element, capacity: Int = 16) {
        precondition(capacity & (capacity - 1) == 0, "a ring's capacity is a power of two")
        storage = ContiguousArray(repeating: filler, count: capacity)
        mask = capacity - 1
    }

    public var count: Int { end &- start }
    public var isEmpty: Bool { start == end }

    @inline(__always)
    public subscript(position: Int) -> Element {
        get { storage[position & mask] }
        _modify { yield &storage[position & mask] }
    }

    public var first: Element? { isEmpty ? nil : storage[start & mask] }

    @inline(__always)
    public mutating func append(_ element: Element) {
        if count > mask { grow() }
        storage[end & mask] = element
        end &+= 1
    }

    @inline(__always)
    public mutating func removeFirst() {
        start &+= 1
    }

    /// Forgets the elements from `position` on.
    public mutating func truncate(at position: Int) {
        end = max(start, position)
    }

    @inline(never)
    private mutating func grow() {
        var larger = ContiguousArray(repeating: storage[0], count: storage.count * 2)
        let wider = larger.count - 1
        for position in start..<end { larger[position & wider] = storage[position & mask] }
        storage = larger
        mask = wider
    }
}
