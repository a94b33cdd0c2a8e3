public import Machines
public import Units

/// Keys and values in the order of the keys' bytes.
///
/// Bounded by `limit` bytes in encoded form. A lookup takes the logarithm of the number of keys, an
/// insertion moves the slots behind it.
public struct KeyValueTable: Hashable, Sendable {
    public let limit: ByteCount
    /// Bytes of keys and values, and of their lengths: what they take in a snapshot.
    public private(set) var size = 0
    /// What an entry takes beside its key and value.
    static let overhead = 8
    private(set) var entries: [StoreResult.Entry] = []

    public init(limit: ByteCount) {
        self.limit = limit
    }

    public var count: Int { entries.count }

    public func value(of key: Bytes) -> Bytes? {
        let (place, isPresent) = find(key)
        return isPresent ? entries[place].value : nil
    }

    /// Carries a command out; the same command on the same table gives the same result and table.
    public mutating func execute(_ command: StoreCommand) -> StoreResult {
        switch command {
        case .get, .scan: return read(command)
        case .put(let key, let value):
            return set(key, find(key), to: value) ? .done : .full
        case .compareAndSet(let key, let expected, let value):
            let (place, isPresent) = find(key)
            guard isPresent == (expected != nil) else { return .compared(wasSet: false) }
            if let expected, !entries[place].value.isSame(as: expected) {
                return .compared(wasSet: false)
            }
            return set(key, (place, isPresent), to: value) ? .compared(wasSet: true) : .full
        case .append(let key, let value):
            let (place, isPresent) = find(key)
            let before = isPresent ? entries[place].value : []
            guard before.count + value.count <= StoreCommand.valueLimit else { return .full }
            return set(key, (place, isPresent), to: before, value) ? .done : .full
        case .delete(let key):
            let (place, isPresent) = find(key)
            guard isPresent else { return .deleted(false) }
            let removed = entries.remove(at: place)
            size -= KeyValueTable.overhead + removed.key.count + removed.value.count
            return .deleted(true)
        }
    }

    /// Carries out a command that reads; a precondition.
    public func read(_ command: StoreCommand) -> StoreResult {
        switch command {
        case .get(let key): return .value(value(of: key))
        case .scan(let start, let limit):
            let place = find(start).place
            return .entries(Array(entries[place...].prefix(Int(limit))))
        case .put, .compareAndSet, .append, .delete:
            preconditionFailure("\(command) is no read")
        }
    }

    /// Sets the value of the key to one of two parts; `false` when there is no room for it.
    private mutating func set(
        _ key: Bytes,
        _ found: (place: Int, isPresent: Bool),
        to first: Bytes,
        _ second: Bytes = []
    ) -> Bool {
        let (place, isPresent) = found
        let freed =
            isPresent ? entries[place].value.count : -(KeyValueTable.overhead + key.count)
        let count = first.count + second.count
        guard size - freed + count <= Int(limit.bytes) else { return false }
        size += count - freed
        // Copies: the slices share the storage of whole messages, which would live as long.
        var value: [UInt8] = []
        value.reserveCapacity(count)
        value.append(contentsOf: first)
        value.append(contentsOf: second)
        let stored = value[...]
        if isPresent {
            entries[place].value = stored
        } else {
            entries.insert(StoreResult.Entry(key: Array(key)[...], value: stored), at: place)
        }
        return true
    }

    /// Where the key is, or would be.
    private func find(_ key: Bytes) -> (place: Int, isPresent: Bool) {
        var low = 0
        var high = entries.count
        while low < high {
            let middle = (low + high) / 2
            let order = entries[middle].key.order(to: key)
            if order == 0 { return (middle, true) }
            if order < 0 { low = middle + 1 } else { high = middle }
        }
        return (low, false)
    }
}

extension KeyValueTable {
    func encode(into writer: inout WireWriter) {
        writer.write(UInt32(entries.count))
        for entry in entries {
            writer.write(lengthPrefixed: entry.key)
            writer.write(lengthPrefixed: entry.value)
        }
    }

    init(limit: ByteCount, from reader: inout WireReader) throws(WireError) {
        self.init(limit: limit)
        let count = Int(try reader.read(UInt32.self))
        guard count <= reader.remaining / 8 else {
            throw .truncated(needed: count * 8, available: reader.remaining)
        }
        for _ in 0..<count {
            let key = try reader.readLengthPrefixed(limit: StoreCommand.keyLimit)
            let value = try reader.readLengthPrefixed(limit: StoreCommand.valueLimit)
            if let last = entries.last, !last.key.lexicographicallyPrecedes(key) {
                throw .malformed("keys are not in order")
            }
            size += KeyValueTable.overhead + key.count + value.count
            entries.append(StoreResult.Entry(key: key, value: value))
        }
        guard size <= Int(limit.bytes) else {
            throw .tooLarge(length: size, limit: Int(limit.bytes))
        }
    }
}
