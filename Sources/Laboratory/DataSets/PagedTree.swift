package import Machines

/// A key-value store that lives wholly inside an arena of 4 KiB pages: a B+ tree with records of
/// variable length in slotted leaves, as a database keeps them.
///
/// Page 0 names the root and the next free page. Inner pages hold a first child and then pairs of key
/// and child; leaves hold a directory of record offsets, ordered by key, that grows up, and records
/// that grow down. A record that changes its length moves inside its leaf, leaving a hole until the
/// leaf is compacted; leaves are split when full and never merged. The arena is the memory: whoever
/// copies its bytes has the whole state.
package struct PagedTree {
    package private(set) var arena: [UInt8]

    /// The longest value, so that a leaf always has room for at least three records.
    package static let longestValue = 1024

    private static let pageSize = MemoryDataSet.pageSize
    private static let headerSize = 16
    private static let recordHeaderSize = 10
    private static let innerCapacity = (pageSize - headerSize - 4) / 12

    private enum Kind {
        static let leaf: UInt8 = 1
        static let inner: UInt8 = 2
    }

    /// An empty tree in an arena of `pages` pages.
    package init(pages: Int) {
        precondition(pages >= 2, "an arena of \(pages) pages")
        arena = [UInt8](repeating: 0, count: pages * PagedTree.pageSize)
        arena.replaceSubrange(0..<8, with: Array("PagedTre".utf8))
        nextFree = 2
        root = 1
        makeLeaf(1)
    }

    /// The number of records.
    package private(set) var count: Int {
        get { Int(word32(16)) }
        set { setWord32(16, UInt32(newValue)) }
    }

    /// Pages never used so far.
    package var freePages: Int { arena.count / PagedTree.pageSize - nextFree }

    package func value(of key: UInt64) -> Bytes? {
        let leaf = path(to: key).last!
        let slot = lowerBound(of: key, inLeaf: leaf)
        guard slot < entryCount(leaf), self.key(leaf, slot) == key else { return nil }
        let record = recordOffset(leaf, slot)
        let start = record + PagedTree.recordHeaderSize
        return arena[start..<start + valueLength(record)]
    }

    /// Stores a value, replacing the one there was. Traps when the value is too long or the arena is
    /// full: the caller bounds both.
    package mutating func set(_ key: UInt64, to value: [UInt8]) {
        precondition(value.count <= PagedTree.longestValue, "a value of \(value.count) bytes")
        var path = path(to: key)
        var leaf = path.last!
        var slot = lowerBound(of: key, inLeaf: leaf)
        if slot < entryCount(leaf), self.key(leaf, slot) == key {
            let record = recordOffset(leaf, slot)
            if valueLength(record) == value.count {
                let start = record + PagedTree.recordHeaderSize
                arena.replaceSubrange(start..<start + value.count, with: value)
                return
            }
            removeSlot(leaf, slot)
            count -= 1
        }
        let needed = 2 + PagedTree.recordHeaderSize + value.count
        if freeSpace(leaf) < needed { compact(leaf) }
        if freeSpace(leaf) < needed {
            splitLeaf(path)
            path = self.path(to: key)
            leaf = path.last!
            slot = lowerBound(of: key, inLeaf: leaf)
        }
        insert(key, value, inLeaf: leaf, at: slot)
        count += 1
    }

    /// Removes a record; false when there was none.
    package mutating func remove(_ key: UInt64) -> Bool {
        let leaf = path(to: key).last!
        let slot = lowerBound(of: key, inLeaf: leaf)
        guard slot < entryCount(leaf), self.key(leaf, slot) == key else { return false }
        removeSlot(leaf, slot)
        count -= 1
        return true
    }

    /// All keys in order; for tests.
    package func keys() -> [UInt64] {
        var result: [UInt64] = []
        collectKeys(root, into: &result)
        return result
    }
}

// Leaves: count u16 at 2, lowest record offset u16 at 4, directory from 16.
extension PagedTree {
    private mutating func makeLeaf(_ page: Int) {
        let base = page * PagedTree.pageSize
        arena[base] = Kind.leaf
        setWord16(base + 2, 0)
        setWord16(base + 4, UInt16(PagedTree.pageSize))
    }

    private func recordOffset(_ leaf: Int, _ slot: Int) -> Int {
        let base = leaf * PagedTree.pageSize
        return base + Int(word16(base + PagedTree.headerSize + 2 * slot))
    }

    private func key(_ leaf: Int, _ slot: Int) -> UInt64 {
        word64(recordOffset(leaf, slot))
    }

    private func valueLength(_ record: Int) -> Int { Int(word16(record + 8)) }

    private func freeSpace(_ leaf: Int) -> Int {
        let base = leaf * PagedTree.pageSize
        return Int(word16(base + 4)) - PagedTree.headerSize - 2 * entryCount(leaf)
    }

    private func lowerBound(of key: UInt64, inLeaf leaf: Int) -> Int {
        var low = 0
        var high = entryCount(leaf)
        while low < high {
            let middle = (low + high) / 2
            if self.key(leaf, middle) < key { low = middle + 1 } else { high = middle }
        }
        return low
    }

    private mutating func insert(
        _ key: UInt64,
        _ value: some Collection<UInt8>,
        inLeaf leaf: Int,
        at slot: Int
    ) {
        let base = leaf * PagedTree.pageSize
        let size = PagedTree.recordHeaderSize + value.count
        precondition(freeSpace(leaf) >= size + 2, "leaf \(leaf) has no room for \(size) bytes")
        let offset = Int(word16(base + 4)) - size
        setWord64(base + offset, key)
        setWord16(base + offset + 8, UInt16(value.count))
        let start = base + offset + PagedTree.recordHeaderSize
        arena.replaceSubrange(start..<start + value.count, with: value)
        setWord16(base + 4, UInt16(offset))
        var position = entryCount(leaf)
        while position > slot {
            let target = base + PagedTree.headerSize + 2 * position
            setWord16(target, word16(target - 2))
            position -= 1
        }
        setWord16(base + PagedTree.headerSize + 2 * slot, UInt16(offset))
        setWord16(base + 2, UInt16(entryCount(leaf) + 1))
    }

    private mutating func removeSlot(_ leaf: Int, _ slot: Int) {
        let base = leaf * PagedTree.pageSize
        for position in slot..<entryCount(leaf) - 1 {
            let target = base + PagedTree.headerSize + 2 * position
            setWord16(target, word16(target + 2))
        }
        setWord16(base + 2, UInt16(entryCount(leaf) - 1))
    }

    /// The records of a leaf in key order.
    private func records(_ leaf: Int) -> [(key: UInt64, value: [UInt8])] {
        (0..<entryCount(leaf)).map { slot in
            let record = recordOffset(leaf, slot)
            let start = record + PagedTree.recordHeaderSize
            return (word64(record), Array(arena[start..<start + valueLength(record)]))
        }
    }

    private mutating func rebuild(
        _ leaf: Int,
        with records: some Sequence<(key: UInt64, value: [UInt8])>
    ) {
        makeLeaf(leaf)
        for (slot, record) in records.enumerated() {
            insert(record.key, record.value, inLeaf: leaf, at: slot)
        }
    }

    /// Moves the records together, so that holes become free space.
    private mutating func compact(_ leaf: Int) {
        rebuild(leaf, with: records(leaf))
    }

    private mutating func splitLeaf(_ path: [Int]) {
        let leaf = path.last!
        let records = records(leaf)
        precondition(records.count >= 2, "leaf \(leaf) is full with \(records.count) records")
        let middle = records.count / 2
        let right = allocatePage()
        rebuild(leaf, with: records[..<middle])
        rebuild(right, with: records[middle...])
        insertChild(right, key: records[middle].key, path: path.dropLast())
    }
}

// Inner pages: count u16 at 2, first child u32 at 16, then pairs of key u64 and child u32 from 20.
extension PagedTree {
    private func path(to key: UInt64) -> [Int] {
        var path = [root]
        while arena[path.last! * PagedTree.pageSize] == Kind.inner {
            let page = path.last!
            var low = 0
            var high = entryCount(page)
            while low < high {
                let middle = (low + high) / 2
                if innerKey(page, middle) <= key { low = middle + 1 } else { high = middle }
            }
            path.append(child(page, low))
        }
        return path
    }

    private func innerKey(_ page: Int, _ slot: Int) -> UInt64 {
        word64(page * PagedTree.pageSize + 20 + 12 * slot)
    }

    /// Child 0 is left of the first key, child n right of key n - 1.
    private func child(_ page: Int, _ number: Int) -> Int {
        Int(word32(page * PagedTree.pageSize + 16 + 12 * number))
    }

    private mutating func setInner(
        _ page: Int,
        first: Int,
        entries: some Sequence<(key: UInt64, child: Int)>
    ) {
        let base = page * PagedTree.pageSize
        arena[base] = Kind.inner
        setWord32(base + 16, UInt32(first))
        var count = 0
        for entry in entries {
            setWord64(base + 20 + 12 * count, entry.key)
            setWord32(base + 28 + 12 * count, UInt32(entry.child))
            count += 1
        }
        setWord16(base + 2, UInt16(count))
    }

    private mutating func insertChild(_ new: Int, key: UInt64, path: ArraySlice<Int>) {
        guard let page = path.last else {
            let oldRoot = root
            root = allocatePage()
            setInner(root, first: oldRoot, entries: [(key, new)])
            return
        }
        var entries = (0..<entryCount(page)).map { slot in
            (key: innerKey(page, slot), child: child(page, slot + 1))
        }
        let slot = entries.firstIndex { $0.key > key } ?? entries.count
        entries.insert((key, new), at: slot)
        let first = child(page, 0)
        if entries.count <= PagedTree.innerCapacity {
            setInner(page, first: first, entries: entries)
            return
        }
        let middle = entries.count / 2
        let right = allocatePage()
        setInner(page, first: first, entries: entries[..<middle])
        setInner(right, first: entries[middle].child, entries: entries[(middle + 1)...])
        insertChild(right, key: entries[middle].key, path: path.dropLast())
    }

    private func collectKeys(_ page: Int, into result: inout [UInt64]) {
        if arena[page * PagedTree.pageSize] == Kind.leaf {
            result += (0..<entryCount(page)).map { key(page, $0) }
            return
        }
        for number in 0...entryCount(page) { collectKeys(child(page, number), into: &result) }
    }
}

// Page 0 and raw access: root u32 at 8, next free page u32 at 12, record count u32 at 16.
extension PagedTree {
    private var root: Int {
        get { Int(word32(8)) }
        set { setWord32(8, UInt32(newValue)) }
    }

    private var nextFree: Int {
        get { Int(word32(12)) }
        set { setWord32(12, UInt32(newValue)) }
    }

    private mutating func allocatePage() -> Int {
        precondition(freePages > 0, "the arena of \(arena.count) bytes is full")
        nextFree += 1
        return nextFree - 1
    }

    private func entryCount(_ page: Int) -> Int {
        Int(word16(page * PagedTree.pageSize + 2))
    }

    private func word16(_ offset: Int) -> UInt16 { load(offset) }
    private func word32(_ offset: Int) -> UInt32 { load(offset) }
    private func word64(_ offset: Int) -> UInt64 { load(offset) }
    private mutating func setWord16(_ offset: Int, _ value: UInt16) { store(value, offset) }
    private mutating func setWord32(_ offset: Int, _ value: UInt32) { store(value, offset) }
    private mutating func setWord64(_ offset: Int, _ value: UInt64) { store(value, offset) }

    private func load<Word: FixedWidthInteger>(_ offset: Int) -> Word {
        arena.withUnsafeBytes {
            Word(littleEndian: $0.loadUnaligned(fromByteOffset: offset, as: Word.self))
        }
    }

    private mutating func store<Word: FixedWidthInteger>(_ value: Word, _ offset: Int) {
        arena.withUnsafeMutableBytes {
            $0.storeBytes(of: value.littleEndian, toByteOffset: offset, as: Word.self)
        }
    }
}
