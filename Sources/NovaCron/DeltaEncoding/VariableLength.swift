/// Writes unsigned LEB128 integers (DWARF 5, section 7.6) into memory that the caller has sized.
struct VariableLengthWriter {
    private let start: UnsafeMutableRawPointer
    private(set) var count = 0

    init(_ start: UnsafeMutableRawPointer) {
        self.start = start
    }

    mutating func write(byte: UInt8) {
        start.storeBytes(of: byte, toByteOffset: count, as: UInt8.self)
        count += 1
    }

    mutating func write(_ value: UInt64) {
        var rest = value
        while rest >= 0x80 {
            write(byte: UInt8(truncatingIfNeeded: rest) | 0x80)
            rest >>= 7
        }
        write(byte: UInt8(rest))
    }

    /// Page numbers as pairs: pages skipped since the end of the last run, pages in the run less one.
    mutating func writeRuns(of pages: [PageVersion]) {
        var next = 0
        var position = 0
        while position < pages.count {
            let first = Int(pages[position].number.rawValue)
            var end = position + 1
            while end < pages.count,
                Int(pages[end].number.rawValue) == first + (end - position)
            {
                end += 1
            }
            write(UInt64(first - next))
            write(UInt64(end - position - 1))
            next = first + (end - position)
            position = end
        }
    }
}

/// Reads bytes and unsigned LEB128 integers of at most 32 bits; every read is checked.
struct VariableLengthReader {
    private let bytes: UnsafeRawBufferPointer
    private(set) var position = 0

    init(_ bytes: UnsafeRawBufferPointer) {
        self.bytes = bytes
    }

    var remaining: Int { bytes.count - position }

    mutating func byte() throws(DecodingFailure) -> UInt8 {
        guard remaining > 0 else { throw .truncated(needed: 1, available: 0) }
        defer { position += 1 }
        return bytes[position]
    }

    mutating func integer() throws(DecodingFailure) -> UInt32 {
        var value: UInt64 = 0
        for shift in stride(from: UInt64(0), to: 35, by: 7) {
            let next = try byte()
            value |= UInt64(next & 0x7f) << shift
            if next & 0x80 == 0 {
                guard next != 0 || shift == 0 else { throw .malformed("a padded integer") }
                guard let result = UInt32(exactly: value) else { break }
                return result
            }
        }
        throw .malformed("an integer of more than 32 bits")
    }

    /// The page numbers that `writeRuns` wrote.
    mutating func runs(
        count: Int,
        pageCount: Int
    ) throws(DecodingFailure) -> [PageNumber] {
        var numbers: [PageNumber] = []
        numbers.reserveCapacity(count)
        var next = 0
        while numbers.count < count {
            let skipped = Int(try integer())
            let length = Int(try integer()) + 1
            guard skipped > 0 || next == 0 else { throw .malformed("runs that touch") }
            guard numbers.count + length <= count else {
                throw .outOfBounds("run", value: length, limit: count - numbers.count)
            }
            let first = next + skipped
            guard first + length <= pageCount else {
                throw .pageOutsideMemory(
                    PageNumber(UInt32(truncatingIfNeeded: first + length - 1)),
                    pageCount: pageCount
                )
            }
            for offset in 0..<length { numbers.append(PageNumber(UInt32(first + offset))) }
            next = first + length
        }
        return numbers
    }

    /// The next `count` bytes.
    mutating func slice(_ count: Int) throws(DecodingFailure) -> UnsafeRawBufferPointer {
        guard count <= remaining else { throw .truncated(needed: count, available: remaining) }
        defer { position += count }
        return UnsafeRawBufferPointer(rebasing: bytes[position..<position + count])
    }
}
