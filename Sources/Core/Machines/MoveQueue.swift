/// A first-in, first-out queue of two stacks: elements are moved in and out and never copied.
///
/// For enums whose payloads have many types: a copy of one, or its destruction in place, goes through the
/// witness tables of all parts and costs hundreds of instructions. Nothing is allocated once the stacks
/// have grown.
public struct MoveQueue<Element> {
    /// The last one added on top.
    private var added: [Element] = []
    /// The next one to take on top; all of them are older than those in `added`.
    private var next: [Element] = []

    public init() {}

    public var isEmpty: Bool { added.isEmpty && next.isEmpty }
    /// Copies of all that is there, in order.
    public var elements: [Element] { next.reversed() + added }

    @inline(__always)
    public mutating func append(_ element: consuming Element) { added.append(element) }

    /// Moves the first element out; `nil` when there is none.
    @inline(__always)
    public mutating func popFirst() -> Element? {
        if next.isEmpty {
            if added.count < 2 { return added.popLast() }
            turnOver()
        }
        return next.popLast()
    }

    public mutating func removeAll() {
        while popFirst() != nil {}
    }

    private mutating func turnOver() {
        swap(&added, &next)
        next.withUnsafeMutableBufferPointer { elements in
            var (left, right) = (0, elements.count - 1)
            while left < right {
                elements.swapAt(left, right)
                left += 1
                right -= 1
            }
        }
    }
}

extension MoveQueue: Sendable where Element: Sendable {}
