public import Machines

/// One operation on the store.
public enum StoreCommand: Hashable, Sendable {
    /// The longest key and value, in bytes; longer ones do not decode.
    public static let keyLimit = 256
    public static let valueLimit = 16 << 10
    /// The most entries that one scan answers.
    public static let scanLimit: UInt16 = 64

    case get(key: Bytes)
    case put(key: Bytes, value: Bytes)
    /// Sets the value when the present one is `expected`; `nil` stands for no value.
    case compareAndSet(key: Bytes, expected: Bytes?, value: Bytes)
    /// Adds bytes to the value's end; a missing one counts as empty.
    case append(key: Bytes, value: Bytes)
    case delete(key: Bytes)
    /// Entries in order of their keys, from `start` on.
    case scan(start: Bytes, limit: UInt16)

    /// Whether the command leaves the store as it is; such commands need no log entry.
    public var isRead: Bool {
        switch self {
        case .get, .scan: true
        case .put, .compareAndSet, .append, .delete: false
        }
    }

    /// Whether lengths are within the limits.
    public var isWithinLimits: Bool {
        switch self {
        case .get(let key), .delete(let key): key.count <= StoreCommand.keyLimit
        case .scan(let start, let limit):
            start.count <= StoreCommand.keyLimit && limit <= StoreCommand.scanLimit
        case .put(let key, let value), .append(let key, let value):
            key.count <= StoreCommand.keyLimit && value.count <= StoreCommand.valueLimit
        case .compareAndSet(let key, let expected, let value):
            key.count <= StoreCommand.keyLimit && value.count <= StoreCommand.valueLimit
                && (expected?.count ?? 0) <= StoreCommand.valueLimit
        }
    }
}

/// What an operation led to.
public enum StoreResult: Hashable, Sendable {
    /// What `get` found.
    case value(Bytes?)
    /// `put` and `append` are done.
    case done
    /// Whether `compareAndSet` set the value.
    case compared(wasSet: Bool)
    /// Whether `delete` found something.
    case deleted(Bool)
    /// What `scan` found, in order.
    case entries([Entry])
    /// Nothing was changed: the store or the value would grow beyond its limit.
    case full

    public struct Entry: Hashable, Sendable {
        public var key: Bytes
        public var value: Bytes

        public init(key: Bytes, value: Bytes) {
            self.key = key
            self.value = value
        }
    }
}

extension StoreCommand {
    /// Bytes that `encode(into:)` writes.
    public var encodedLength: Int {
        switch self {
        case .get(let key), .delete(let key): 5 + key.count
        case .put(let key, let value), .append(let key, let value):
            9 + key.count + value.count
        case .compareAndSet(let key, nil, let value): 9 + key.count + value.count
        case .compareAndSet(let key, let expected?, let value):
            13 + key.count + value.count + expected.count
        case .scan(let start, _): 7 + start.count
        }
    }

    public func encode(into writer: inout WireWriter) {
        switch self {
        case .get(let key):
            writer.write(UInt8(1))
            writer.write(lengthPrefixed: key)
        case .put(let key, let value):
            writer.write(UInt8(2))
            writer.write(lengthPrefixed: key)
            writer.write(lengthPrefixed: value)
        case .compareAndSet(let key, let expected, let value):
            writer.write(UInt8(expected == nil ? 3 : 4))
            writer.write(lengthPrefixed: key)
            writer.write(lengthPrefixed: value)
            if let expected { writer.write(lengthPrefixed: expected) }
        case .append(let key, let value):
            writer.write(UInt8(5))
            writer.write(lengthPrefixed: key)
            writer.write(lengthPrefixed: value)
        case .delete(let key):
            writer.write(UInt8(6))
            writer.write(lengthPrefixed: key)
        case .scan(let start, let limit):
            writer.write(UInt8(7))
            writer.write(lengthPrefixed: start)
            writer.write(limit)
        }
    }

    /// Reads one command and leaves the reader behind it.
    public init(from reader: inout WireReader) throws(WireError) {
        let kind = try reader.read(UInt8.self)
        let key = try reader.readLengthPrefixed(limit: StoreCommand.keyLimit)
        switch kind {
        case 1: self = .get(key: key)
        case 2: self = .put(key: key, value: try StoreCommand.value(from: &reader))
        case 3:
            self = .compareAndSet(
                key: key,
                expected: nil,
                value: try StoreCommand.value(from: &reader)
            )
        case 4:
            let value = try StoreCommand.value(from: &reader)
            let expected = try StoreCommand.value(from: &reader)
            self = .compareAndSet(key: key, expected: expected, value: value)
        case 5: self = .append(key: key, value: try StoreCommand.value(from: &reader))
        case 6: self = .delete(key: key)
        case 7:
            let limit = try reader.read(UInt16.self)
            guard limit <= StoreCommand.scanLimit else {
                throw .tooLarge(length: Int(limit), limit: Int(StoreCommand.scanLimit))
            }
            self = .scan(start: key, limit: limit)
        default: throw .malformed("a store command of unknown kind \(kind)")
        }
    }

    private static func value(from reader: inout WireReader) throws(WireError) -> Bytes {
        try reader.readLengthPrefixed(limit: valueLimit)
    }
}

extension StoreResult {
    public func encode(into writer: inout WireWriter) {
        switch self {
        case .value(nil): writer.write(UInt8(1))
        case .value(let value?):
            writer.write(UInt8(2))
            writer.write(lengthPrefixed: value)
        case .done: writer.write(UInt8(3))
        case .compared(let wasSet): writer.write(UInt8(wasSet ? 5 : 4))
        case .deleted(let found): writer.write(UInt8(found ? 7 : 6))
        case .entries(let entries):
            writer.write(UInt8(8))
            writer.write(UInt16(entries.count))
            for entry in entries {
                writer.write(lengthPrefixed: entry.key)
                writer.write(lengthPrefixed: entry.value)
            }
        case .full: writer.write(UInt8(9))
        }
    }

    /// Reads one result and leaves the reader behind it.
    public init(from reader: inout WireReader) throws(WireError) {
        switch try reader.read(UInt8.self) {
        case 1: self = .value(nil)
        case 2: self = .value(try reader.readLengthPrefixed(limit: StoreCommand.valueLimit))
        case 3: self = .done
        case 4: self = .compared(wasSet: false)
        case 5: self = .compared(wasSet: true)
        case 6: self = .deleted(false)
        case 7: self = .deleted(true)
        case 8:
            let count = try reader.read(UInt16.self)
            guard count <= StoreCommand.scanLimit else {
                throw .tooLarge(length: Int(count), limit: Int(StoreCommand.scanLimit))
            }
            var entries: [Entry] = []
            for _ in 0..<count {
                let key = try reader.readLengthPrefixed(limit: StoreCommand.keyLimit)
                let value = try reader.readLengthPrefixed(limit: StoreCommand.valueLimit)
                entries.append(Entry(key: key, value: value))
            }
            self = .entries(entries)
        case 9: self = .full
        case let kind: throw .malformed("a store result of unknown kind \(kind)")
        }
    }
}
