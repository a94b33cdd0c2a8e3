public import Machines
public import Units

/// One transfer between two nodes: named by its sender, unique within the sender's incarnation.
///
/// A session owns a fixed range of its sender's stream numbers, so a node that runs many transfers
/// finds the transfer of a stream without a table.
public struct SessionID: Hashable, Comparable, Sendable, BitwiseCopyable, Codable {
    /// The node that sends.
    public let sender: NodeID
    /// Chosen by the sender, below `limit`. A node that restarts must not use a number again.
    public let number: UInt32

    /// Streams that a session may open in its life, reopened ones included.
    public static let streamLimit = 4_096
    /// Sessions that a node may number.
    public static let limit: UInt32 = 1 << 20

    /// Traps when `number` is not below `limit`.
    public init(sender: NodeID, number: UInt32) {
        precondition(number < SessionID.limit, "session number \(number) is beyond the limit")
        self.sender = sender
        self.number = number
    }

    /// The session that a stream belongs to.
    public init(of stream: StreamID) {
        self.init(sender: stream.opener, number: stream.number >> 12)
    }

    /// The session as it travels in frames.
    public var rawValue: UInt64 { UInt64(sender.rawValue) << 32 | UInt64(number) }

    /// The session's stream with the given ordinal, below `streamLimit`.
    public func stream(_ ordinal: Int) -> StreamID {
        precondition(ordinal >= 0 && ordinal < SessionID.streamLimit, "stream ordinal \(ordinal)")
        return StreamID(opener: sender, number: number << 12 | UInt32(ordinal))
    }

    /// The position of a stream in its session's range.
    public static func ordinal(of stream: StreamID) -> Int { Int(stream.number & 0xfff) }

    public static func < (left: SessionID, right: SessionID) -> Bool {
        left.rawValue < right.rawValue
    }

    public init(from decoder: any Decoder) throws {
        let raw = try UInt64(from: decoder)
        let number = UInt32(truncatingIfNeeded: raw)
        guard number < SessionID.limit else {
            throw DecodingError.dataCorrupted(
                .init(codingPath: decoder.codingPath, debugDescription: "session \(raw)")
            )
        }
        self.init(sender: NodeID(UInt32(raw >> 32)), number: number)
    }

    public func encode(to encoder: any Encoder) throws { try rawValue.encode(to: encoder) }
}

extension SessionID: CustomStringConvertible {
    public var description: String { "session \(number) of \(sender)" }
}
