import Determinism
import Machines
import Migration
import Units

/// A guest's memory that is written to at known times.
struct ScriptedMemory: GuestMemory {
    /// Of each page: what it holds from which time on, in order of time; the first is the beginning.
    private var contents: [[(from: Instant, bytes: Bytes)]]

    init(initial: [Bytes]) {
        contents = initial.map { [(Instant(nanoseconds: .min), $0)] }
    }

    var pageCount: Int { contents.count }

    mutating func write(_ bytes: Bytes, toPage page: Int, at time: Instant) {
        precondition(contents[page].last!.from <= time, "writes come in order")
        contents[page].append((time, bytes))
    }

    func dirtyPages(after start: Instant, through end: Instant) -> [Int] {
        contents.indices.filter { page in
            contents[page].dropFirst().contains { $0.from > start && $0.from <= end }
        }
    }

    func page(_ index: Int, at time: Instant) -> Bytes {
        contents[index][Int(contentVersion(ofPage: index, at: time))].bytes
    }

    func contentVersion(ofPage index: Int, at time: Instant) -> UInt64 {
        UInt64(contents[index].lastIndex { $0.from <= time } ?? 0)
    }

    /// Zero pages, equal pages and noise; afterwards `hot` pages in turn get a few new words, one
    /// every `pause`, until `end`.
    static func busy(
        pages: Int,
        hot: Int,
        pause: Interval,
        until end: Instant,
        seed: UInt64
    ) -> ScriptedMemory {
        var random = SeededRandom(stateFrom: seed)
        let shared = noise(&random)
        let zero = Bytes([UInt8](repeating: 0, count: pageSize))
        var memory = ScriptedMemory(
            initial: (0..<pages).map { _ in
                switch random.below(4) {
                case 0: zero
                case 1: shared
                default: noise(&random)
                }
            }
        )
        guard hot > 0 else { return memory }
        var time = Instant.zero + pause
        while time < end {
            let page = Int(random.below(UInt64(hot)))
            var bytes = [UInt8](memory.contents[page].last!.bytes)
            for _ in 0..<8 {
                bytes[Int(random.below(UInt64(pageSize)))] = UInt8(
                    truncatingIfNeeded: random.next()
                )
            }
            memory.write(bytes[...], toPage: page, at: time)
            time += pause
        }
        return memory
    }

    private static func noise(_ random: inout SeededRandom) -> Bytes {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(pageSize)
        for _ in 0..<pageSize / 8 {
            withUnsafeBytes(of: random.next()) { bytes.append(contentsOf: $0) }
        }
        return bytes[...]
    }
}

/// A memory that changes behind its own dirty log: what a broken host would look like.
struct LyingMemory: GuestMemory {
    var honest: ScriptedMemory
    /// From then on page 0 holds other bytes, unannounced.
    var liesFrom: Instant

    var pageCount: Int { honest.pageCount }
    func dirtyPages(after start: Instant, through end: Instant) -> [Int] {
        honest.dirtyPages(after: start, through: end)
    }
    func page(_ index: Int, at time: Instant) -> Bytes {
        guard index == 0, time >= liesFrom else { return honest.page(index, at: time) }
        return Bytes([UInt8](repeating: 0xEE, count: Self.pageSize))
    }
    func contentVersion(ofPage index: Int, at time: Instant) -> UInt64 {
        honest.contentVersion(ofPage: index, at: time)
    }
}
