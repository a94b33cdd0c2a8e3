/// Why a log was not recovered. The node must not start: it would act as if it had never promised what
/// is lost. Others go on without it; a person, or a protocol that rebuilds nodes, decides what follows.
public enum RecoveryFailure: Error, Hashable, Sendable {
    /// Written in a format that this code does not read.
    case unsupportedVersion(segment: UInt64, found: UInt32)
    /// The files belong to another log.
    case foreign(segment: UInt64, identity: UInt64)
    /// Bytes that had been made durable are damaged.
    case corrupt(Corruption)
    /// A segment is not there, and the next one needs it.
    case missingSegment(expected: UInt64, found: UInt64)
    /// The oldest segment there is continues another.
    case missingBeginning(found: UInt64)
}

/// Damage to stored bytes.
public struct Corruption: Hashable, Sendable {
    /// The segment, by its first batch's sequence number.
    public let segment: UInt64
    /// Where the batch begins that cannot be read.
    public let offset: Int
    /// The batch's sequence number.
    public let sequence: UInt64
    public let reason: Reason

    public enum Reason: String, Hashable, Sendable {
        case segmentHeader = "the segment's header is damaged"
        case batchHeader = "the batch's header is damaged"
        case checksum = "the batch's checksum is wrong"
        case sequence = "another batch is here"
        case chain = "the segment does not continue the one before"
        case records = "the records do not fill the batch"
        case lost = "the batch cannot be read, though a later one was begun"
    }

    public init(segment: UInt64, offset: Int, sequence: UInt64, reason: Reason) {
        self.segment = segment
        self.offset = offset
        self.sequence = sequence
        self.reason = reason
    }
}

extension RecoveryFailure: CustomStringConvertible {
    public var description: String {
        switch self {
        case .unsupportedVersion(let segment, let found):
            "segment \(segment) has version \(found) of the record log's format; this program reads "
                + "version \(SegmentHeader.version)"
        case .foreign(let segment, let identity):
            "segment \(segment) belongs to another log, of identity \(identity)"
        case .corrupt(let corruption):
            "corrupt segment \(corruption.segment) at byte \(corruption.offset), batch "
                + "\(corruption.sequence): \(corruption.reason.rawValue)"
        case .missingSegment(let expected, let found):
            "segment \(expected) is missing before segment \(found)"
        case .missingBeginning(let found):
            "the log begins with segment \(found), which continues an earlier one"
        }
    }
}

/// What recovery changes in the files before the log goes on.
public enum LogRepair: Hashable, Sendable {
    /// The segment ends at `length`; what follows was never durable.
    case cut(segment: UInt64, length: Int)
    /// The segment is superseded, or was never durable.
    case remove(segment: UInt64)
}

/// The bytes of one segment file.
public struct SegmentImage: Sendable {
    /// The file's name.
    public var firstSequence: UInt64
    public var bytes: [UInt8]

    public init(firstSequence: UInt64, bytes: [UInt8]) {
        self.firstSequence = firstSequence
        self.bytes = bytes
    }
}
