import Glibc

/// Room for frames on their way, all of it reserved at the beginning: a packet takes a slot and gives
/// it back, and nothing is allocated in between.
///
/// Memory that no frame has used yet costs address space only. The slot given back last is taken
/// first, so that few pages are in use.
package struct FrameSlots: ~Copyable {
    /// The longest packet on an emulated link, in bytes.
    package static let frameLimit = 1500
    private static let slotBytes = 2048

    package let capacity: Int
    private let memory: UnsafeMutableRawPointer
    private let lengths: UnsafeMutablePointer<Int32>
    private let free: UnsafeMutablePointer<UInt32>
    private var freeCount: Int

    package init(capacity: Int) throws(EmulatorFailure) {
        precondition(capacity > 0, "\(capacity) frame slots")
        let mapped = mmap(
            nil,
            capacity * FrameSlots.slotBytes,
            PROT_READ | PROT_WRITE,
            MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE,
            -1,
            0
        )
        guard let mapped, mapped != MAP_FAILED else {
            throw .system("cannot reserve \(capacity) frames")
        }
        self.capacity = capacity
        memory = mapped
        lengths = .allocate(capacity: capacity)
        lengths.initialize(repeating: 0, count: capacity)
        free = .allocate(capacity: capacity)
        for index in 0..<capacity { free[index] = UInt32(capacity - 1 - index) }
        freeCount = capacity
    }

    deinit {
        munmap(memory, capacity * FrameSlots.slotBytes)
        lengths.deallocate()
        free.deallocate()
    }

    package var isExhausted: Bool { freeCount == 0 }

    /// The slot that `take` would give, to be filled first. There must be one.
    package var next: UInt32 { free[freeCount - 1] }

    /// Takes the next slot for a frame of `length` bytes that was put there.
    package mutating func take(length: Int) {
        freeCount -= 1
        lengths[Int(free[freeCount])] = Int32(length)
    }

    package mutating func giveBack(_ slot: UInt32) {
        free[freeCount] = slot
        freeCount += 1
    }

    /// All bytes that a slot has room for.
    package func room(of slot: UInt32) -> UnsafeMutableRawBufferPointer {
        UnsafeMutableRawBufferPointer(
            start: memory + Int(slot) * FrameSlots.slotBytes,
            count: FrameSlots.slotBytes
        )
    }

    /// The frame in a taken slot.
    package func frame(in slot: UInt32) -> UnsafeMutableRawBufferPointer {
        UnsafeMutableRawBufferPointer(rebasing: room(of: slot)[..<Int(lengths[Int(slot)])])
    }
}
