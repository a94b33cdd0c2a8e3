public import Machines

/// Cuts a byte stream into frames; the bytes may arrive in any slices.
///
/// Payload bytes are kept as the slices they arrived in, without a copy, and added to the checksum on
/// arrival. Only pieces that are short beside what they arrived in are copied, and shorter ones joined: a slice
/// keeps all of its storage alive. It holds at most one partial frame: a header and `FrameHeader.payloadLimit` bytes.
public struct FrameDecoder: Sendable {
    private let session: UInt64
    /// The header's bytes while it is incomplete.
    private var partial: [UInt8] = []
    /// The frame whose payload is arriving.
    private var header: FrameHeader?
    private var payload = Payload()
    private var missing = 0
    /// What arrived together, and how much of it has not been taken yet.
    private var arrived = 0
    private var untaken = 0
    private var checksum = Checksum()

    /// Accepts the frames of one session only.
    public init(session: SessionID) {
        self.session = session.rawValue
    }

    /// Whether the bytes so far end between two frames.
    public var isBetweenFrames: Bool { header == nil && partial.isEmpty }

    /// Bytes held for a frame that is not complete.
    public var heldBytes: Int { partial.count + payload.count }

    /// Takes bytes from the front until a frame is complete, or until there are none left.
    ///
    /// After an error the stream has no known frame boundary and must be given up.
    public mutating func next(from bytes: inout Bytes) throws(TransportError) -> Frame? {
        if untaken == 0 { arrived = bytes.count }
        defer { untaken = bytes.count }
        if header == nil {
            guard try readHeader(from: &bytes) else { return nil }
        }
        let available = bytes.count
        if available < missing {
            guard available > 0 else { return nil }
            payload.append(bytes, of: arrived)
            checksum.update(bytes)
            missing &-= available
            bytes = []
            return nil
        }
        if missing > 0 {
            let piece = bytes.prefix(missing)
            payload.append(piece, of: arrived)
            checksum.update(piece)
            bytes = bytes.dropFirst(missing)
            missing = 0
        }
        return try finishFrame()
    }

    private mutating func readHeader(from bytes: inout Bytes) throws(TransportError) -> Bool {
        let raw: Bytes
        if partial.isEmpty, bytes.count >= FrameHeader.size {
            raw = bytes.prefix(FrameHeader.size)
            bytes = bytes.dropFirst(FrameHeader.size)
        } else {
            let taken = min(FrameHeader.size - partial.count, bytes.count)
            partial.append(contentsOf: bytes.prefix(taken))
            bytes = bytes.dropFirst(taken)
            guard partial.count == FrameHeader.size else { return false }
            raw = partial[...]
        }
        let found = try FrameHeader(raw)
        guard found.session == session else {
            throw .foreignSession(expected: session, found: found.session)
        }
        partial.removeAll(keepingCapacity: true)
        header = found
        missing = Int(found.length)
        checksum = found.openChecksum
        return true
    }

    private mutating func finishFrame() throws(TransportError) -> Frame {
        guard let complete = header else { preconditionFailure("no frame has begun") }
        guard checksum.value == complete.checksum else { throw .checksumMismatch }
        let frame = Frame(header: complete, payload: payload)
        header = nil
        payload = Payload()
        return frame
    }
}
