/// Memory that grows and is never initialised.
final class Buffer {
    private(set) var start = UnsafeMutableRawPointer.allocate(byteCount: 64, alignment: 64)
    private var capacity = 64

    deinit {
        start.deallocate()
    }

    /// Room for `count` bytes; growing forgets the content.
    func reserve(_ count: Int) {
        guard count > capacity else { return }
        start.deallocate()
        start = .allocate(byteCount: count, alignment: 64)
        capacity = count
    }

    func bytes(_ count: Int) -> UnsafeRawBufferPointer {
        precondition(count <= capacity, "\(count) bytes of a buffer of \(capacity)")
        return UnsafeRawBufferPointer(start: start, count: count)
    }
}
