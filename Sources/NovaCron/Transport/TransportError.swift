/// Why a transfer failed, or why one of its streams was given up.
public enum TransportError: Error, Hashable, Sendable, Codable {
    /// The bytes are complete but break a rule of the frame format; the text names it.
    case malformed(String)
    /// A frame is longer than its kind allows.
    case tooLarge(length: Int, limit: Int)
    /// A frame belongs to another transfer.
    case foreignSession(expected: UInt64, found: UInt64)
    /// The checksum of a frame does not match its bytes.
    case checksumMismatch
    /// The peer sent more than it was allowed to.
    case windowExceeded
    /// The stream ended in the middle of a frame.
    case truncatedFrame
    /// The peer opened more streams than a transfer may have.
    case tooManyStreams
    /// The medium ended the stream.
    case streamLost
    /// The peer speaks another version of the format.
    case unsupportedVersion(UInt16)
    /// A stream did not answer while others did.
    case silent
    /// Streams were there, but nothing arrived for the configured time.
    case noProgress
    /// The transfer was not over within its deadline.
    case deadlineExceeded
    /// No stream could be had for the configured time.
    case unreachable
    /// The peer has lost the state of the transfer: its process was started anew.
    case peerRestarted
    /// The peer does not take the transfer.
    case refused(Refusal)
    /// The local application gave up.
    case aborted

    /// Why a receiver does not take a transfer.
    public enum Refusal: UInt8, Hashable, Sendable, Codable, CaseIterable {
        /// The sender assumes a larger window than the receiver has.
        case windowTooLarge = 1
        /// The transfer has already failed at the receiver.
        case failed = 2
        /// The receiver is not the one that the sender has spoken to before.
        case restarted = 3
        /// The receiver speaks another version of the format.
        case version = 4
    }
}
