/// What operations do to states, remembered: a step of the model is taken once for each pair of
/// state and class of operation, everything after that is one look-up.
struct TransitionTable {
    struct Transition {
        /// The state that follows; negative where the answer is not possible.
        var next: Int32
        /// The demanded fact that ceased to hold, and the one that began to; negative for none.
        var lost: Int32
        var gained: Int32

        static let impossible = Transition(next: -1, lost: -1, gained: -1)
    }

    private var keys: [UInt64]
    private var values: [Transition]
    private(set) var count = 0
    private var mask: Int

    init() {
        keys = Array(repeating: .max, count: 256)
        values = Array(repeating: .impossible, count: 256)
        mask = 255
    }

    static let bytesPerEntry = 2 * (MemoryLayout<UInt64>.stride + MemoryLayout<Transition>.stride)

    static func key(state: Int32, class number: Int32) -> UInt64 {
        UInt64(UInt32(bitPattern: state)) << 32 | UInt64(UInt32(bitPattern: number))
    }

    private static func spread(_ key: UInt64) -> Int {
        let product = key.multipliedFullWidth(by: 0x9E37_79B9_7F4A_7C15)
        return Int(truncatingIfNeeded: product.high ^ product.low)
    }

    /// What is remembered for `key`, or `nil`.
    func value(_ key: UInt64) -> Transition? {
        var slot = TransitionTable.spread(key) & mask
        while true {
            let found = keys[slot]
            if found == key { return values[slot] }
            if found == .max { return nil }
            slot = (slot &+ 1) & mask
        }
    }

    /// Remembers what was not known before.
    mutating func insert(_ key: UInt64, _ value: Transition) {
        if count * 2 > mask { grow() }
        place(key, value)
        count += 1
    }

    private mutating func place(_ key: UInt64, _ value: Transition) {
        var slot = TransitionTable.spread(key) & mask
        while keys[slot] != .max { slot = (slot &+ 1) & mask }
        keys[slot] = key
        values[slot] = value
    }

    private mutating func grow() {
        let (oldKeys, oldValues) = (keys, values)
        let size = oldKeys.count * 2
        keys = Array(repeating: .max, count: size)
        values = Array(repeating: .impossible, count: size)
        mask = size - 1
        for (key, value) in zip(oldKeys, oldValues) where key != .max { place(key, value) }
    }
}

/// The configurations that the search has been in.
///
/// A configuration is *where* (first open return, state, open operations that change something and
/// have not happened yet) and *how dear* (open reads that have not been answered yet, unanswered
/// operations that were used up). Whatever can follow a configuration can also follow a cheaper one
/// at the same place, so a configuration is new only when no visited one at its place is as cheap
/// or cheaper in every bit.
struct ConfigurationMemo {
    /// Words of place and price; the first word is the return and the state.
    let placeWords: Int
    let priceWords: Int
    private let stride: Int
    private var words: [UInt64] = []
    /// The next record of the same place; negative at the end.
    private var links: [Int32] = []
    /// Heads of places, open addressing; negative where empty.
    private var slots: [Int32]
    private var placeCount = 0

    init(placeWords: Int, priceWords: Int) {
        self.placeWords = placeWords
        self.priceWords = priceWords
        stride = placeWords + priceWords
        slots = Array(repeating: -1, count: 256)
    }

    var count: Int { links.count }
    var bytes: Int {
        words.capacity * 8 + links.capacity * 4 + slots.capacity * 4
    }

    /// Whether `record` is new; it is remembered then. `work` counts the records compared with it.
    mutating func visit(_ record: [UInt64], work: inout Int) -> Bool {
        if placeCount * 2 >= slots.count { grow() }
        let mask = slots.count - 1
        var slot = hash(record, at: 0) & mask
        while true {
            let head = slots[slot]
            if head < 0 {
                slots[slot] = append(record)
                placeCount += 1
                return true
            }
            if isSamePlace(Int(head) * stride, record) { break }
            slot = (slot &+ 1) & mask
        }
        var current = slots[slot]
        while current >= 0 {
            work &+= 1
            let base = Int(current) * stride
            switch compare(base, record) {
            case .noDearer: return false
            case .dearer:
                // The visited one is covered by this one from now on.
                for word in placeWords..<stride { words[base &+ word] = record[word] }
                return true
            case .different: current = links[Int(current)]
            }
        }
        let added = append(record)
        links[Int(added)] = links[Int(slots[slot])]
        links[Int(slots[slot])] = added
        return true
    }

    private enum Price { case noDearer, dearer, different }

    private func compare(_ base: Int, _ record: [UInt64]) -> Price {
        var extra: UInt64 = 0
        var missing: UInt64 = 0
        for word in placeWords..<stride {
            let visited = words[base &+ word]
            extra |= visited & ~record[word]
            missing |= record[word] & ~visited
        }
        if extra == 0 { return .noDearer }
        return missing == 0 ? .dearer : .different
    }

    private func isSamePlace(_ base: Int, _ record: [UInt64]) -> Bool {
        for word in 0..<placeWords where words[base &+ word] != record[word] { return false }
        return true
    }

    private mutating func append(_ record: [UInt64]) -> Int32 {
        words.append(contentsOf: record)
        links.append(-1)
        return Int32(links.count - 1)
    }

    private func hash(_ record: [UInt64], at base: Int) -> Int {
        var value: UInt64 = 0x2545_F491_4F6C_DD1D
        for word in 0..<placeWords {
            let product = (value ^ record[base &+ word])
                .multipliedFullWidth(by: 0x9E37_79B9_7F4A_7C15)
            value = product.high ^ product.low &+ value
        }
        return Int(truncatingIfNeeded: value >> 3)
    }

    private mutating func grow() {
        let old = slots
        slots = Array(repeating: -1, count: old.count * 2)
        let mask = slots.count - 1
        for head in old where head >= 0 {
            var slot = hash(words, at: Int(head) * stride) & mask
            while slots[slot] >= 0 { slot = (slot &+ 1) & mask }
            slots[slot] = head
        }
    }
}
