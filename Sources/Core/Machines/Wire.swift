/// A message between peers, with its own byte form.
///
/// Decoding what `encode` wrote gives an equal message; decoding anything else throws `WireError`
/// and never traps. Integers are little-endian.
public protocol WireMessage: Sendable, Equatable {
    func encode(into writer: inout WireWriter)
    init(from reader: inout WireReader) throws(WireError)
}

/// A durable record, with its own byte form; same rules as for messages.
public protocol DurableRecord: WireMessage {
    /// Whether this record makes all earlier ones unnecessary, as a snapshot does.
    ///
    /// Once its batch is durable, earlier records are forgotten: the next incarnation recovers from
    /// the latest such record on. Until then the earlier ones survive a crash, so the change is all or
    /// nothing. Within one batch, records before it are not even written.
    var supersedesEarlier: Bool { get }
}

extension DurableRecord {
    public var supersedesEarlier: Bool { false }
}

/// For machines that exchange no datagrams.
public enum NoMessage: WireMessage {
    public func encode(into writer: inout WireWriter) { switch self {} }
    public init(from reader: inout WireReader) throws(WireError) {
        throw WireError.malformed("this machine exchanges no messages")
    }
}

/// For machines without durable state.
public enum NoRecord: DurableRecord {
    public func encode(into writer: inout WireWriter) { switch self {} }
    public init(from reader: inout WireReader) throws(WireError) {
        throw WireError.malformed("this machine keeps no records")
    }
}

/// Why bytes from outside were rejected.
public enum WireError: Error, Hashable, Sendable {
    /// More bytes are needed than there are.
    case truncated(needed: Int, available: Int)
    /// The bytes are complete but mean nothing; the text says which rule they break.
    case malformed(String)
    /// A length exceeds the limit of its field.
    case tooLarge(length: Int, limit: Int)
    /// The stored checksum differs from that of the bytes.
    case checksumMismatch(expected: UInt64, found: UInt64)
}

/// Appends fixed-width little-endian values to a byte array.
public struct WireWriter: Sendable {
    /// As long as the room there is; what lies behind `count` means nothing.
    public private(set) var storage: [UInt8]
    /// Bytes written.
    public private(set) var count = 0

    public init(reserving capacity: Int = 0) {
        storage = [UInt8](repeating: 0, count: capacity)
    }

    /// Writes over bytes that nobody needs any more, so that nothing is allocated.
    public init(reusing storage: consuming [UInt8]) {
        self.storage = storage
    }

    /// What was written.
    public var bytes: [UInt8] {
        count == storage.count ? storage : Array(storage[..<count])
    }

    /// What was written, shared, not copied.
    public var slice: Bytes { storage[..<count] }

    /// What was written, for whoever needs an array and the writer no more: nothing is copied.
    public consuming func finished() -> [UInt8] {
        storage.removeLast(storage.count - count)
        return storage
    }

    @inline(__always)
    public mutating func write<Value: FixedWidthInteger>(_ value: Value) {
        let place = count
        let size = MemoryLayout<Value>.size
        if storage.count - place < size { grow(by: size) }
        storage.withUnsafeMutableBytes {
            $0.storeBytes(of: value.littleEndian, toByteOffset: place, as: Value.self)
        }
        count = place + size
    }

    public mutating func write(_ value: Double) { write(value.bitPattern) }

    public mutating func write(bytes more: some Collection<UInt8>) {
        let place = count
        let size = more.count
        if storage.count - place < size { grow(by: size) }
        storage.withUnsafeMutableBufferPointer {
            let room = UnsafeMutableBufferPointer(rebasing: $0[place..<place + size])
            _ = room.update(fromContentsOf: more)
        }
        count = place + size
    }

    /// A 32-bit length, then the bytes.
    public mutating func write(lengthPrefixed more: some Collection<UInt8>) {
        write(UInt32(more.count))
        write(bytes: more)
    }

    public mutating func removeAll() { count = 0 }

    /// Takes back the last bytes written. Traps when there are fewer.
    public mutating func removeLast(_ number: Int) {
        precondition(number >= 0 && number <= count, "\(number) of \(count) bytes taken back")
        count -= number
    }

    @inline(never)
    private mutating func grow(by size: Int) {
        let length = storage.count + max(size, storage.count, 32)
        // At once, not byte by byte.
        storage = [UInt8](unsafeUninitializedCapacity: length) { room, initialized in
            let behind = room.initialize(fromContentsOf: storage)
            room[behind...].initialize(repeating: 0)
            initialized = length
        }
    }
}

/// Reads fixed-width little-endian values; every read is checked.
public struct WireReader: Sendable {
    private let bytes: Bytes
    private var position: Int

    public init(_ bytes: Bytes) {
        self.bytes = bytes
        position = bytes.startIndex
    }

    public init(_ bytes: [UInt8]) {
        self.init(bytes[...])
    }

    /// Bytes not yet read.
    public var remaining: Int { bytes.endIndex - position }

    @inline(__always)
    public mutating func read<Value: FixedWidthInteger>(
        _ type: Value.Type = Value.self
    ) throws(WireError) -> Value {
        let size = MemoryLayout<Value>.size
        guard remaining >= size else { throw shortage(of: size) }
        let offset = position - bytes.startIndex
        let value = bytes.withUnsafeBytes {
            Value(littleEndian: $0.loadUnaligned(fromByteOffset: offset, as: Value.self))
        }
        position += size
        return value
    }

    public mutating func readDouble() throws(WireError) -> Double {
        Double(bitPattern: try read(UInt64.self))
    }

    /// The next `count` bytes, shared, not copied.
    public mutating func read(count: Int) throws(WireError) -> Bytes {
        guard count >= 0 else { throw .malformed("a negative length") }
        guard remaining >= count else { throw shortage(of: count) }
        let slice = bytes[position..<position + count]
        position += count
        return slice
    }

    /// A 32-bit length of at most `limit`, then that many bytes.
    public mutating func readLengthPrefixed(limit: Int) throws(WireError) -> Bytes {
        let count = Int(try read(UInt32.self))
        guard count <= limit else { throw .tooLarge(length: count, limit: limit) }
        return try read(count: count)
    }

    /// Call after the last field: trailing bytes are an error, not ignored.
    @inline(__always)
    public func expectEnd() throws(WireError) {
        guard remaining == 0 else { throw surplus }
    }

    @inline(never)
    private func shortage(of size: Int) -> WireError {
        .truncated(needed: size, available: remaining)
    }

    @inline(never)
    private var surplus: WireError { .malformed("\(remaining) unexpected bytes after the end") }
}
