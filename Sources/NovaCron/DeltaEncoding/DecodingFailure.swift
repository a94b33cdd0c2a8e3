/// Why an encoded batch was rejected. A rejected batch changes nothing at the receiver.
public enum DecodingFailure: Error, Hashable, Sendable {
    /// More bytes are needed than there are.
    case truncated(needed: Int, available: Int)
    /// Bytes follow the end of the batch.
    case trailingBytes(Int)
    /// The bytes do not start with the format's magic number.
    case notABatch
    /// The format version is not one this decoder reads.
    case unsupportedVersion(UInt8)
    /// The header or the payload was damaged on the way.
    case payloadChecksumMismatch
    /// The batch belongs to another session.
    case wrongSession(expected: UInt64, found: UInt64)
    /// The batch is not the next one of its session.
    case outOfSequence(expected: UInt64, found: UInt64)
    /// The batch builds on a state of memory that this receiver does not hold.
    case baselineMissing(held: UInt64, needed: UInt64)
    /// A count or length exceeds its bound; the text names the field.
    case outOfBounds(String, value: Int, limit: Int)
    /// A page number lies outside the memory.
    case pageOutsideMemory(PageNumber, pageCount: Int)
    /// A page is built on content that the receiver does not hold.
    case unknownReference(page: PageNumber, reference: PageNumber)
    /// The bytes are complete but mean nothing; the text says which rule they break.
    case malformed(String)
    /// A compressed section does not decompress to its stated length.
    case corruptCompression
    /// The pages came out different from those that were encoded.
    case pagesChecksumMismatch
}
