public import Machines
public import Units

/// Datagrams on their way, by the token that the network knows them by.
///
/// A slot keeps its buffer, and the message until the next one takes its place, so that in the long run a
/// datagram allocates nothing and is destroyed nowhere on its way.
public struct DatagramTable<Message: WireMessage> {
    private var senders: [NodeID] = []
    private var messages: [Message?] = []
    /// Each begins with the bytes of its message.
    private var buffers: [[UInt8]] = []
    /// Negative in a slot that is free.
    private var sizes: [Int] = []
    private var free: [UInt32] = []

    public init() {}

    /// A buffer that is longer than this is given back.
    private static var keptLength: Int { 512 }

    /// Encodes a message; slots are used again after `free`.
    public mutating func insert(
        _ message: consuming Message,
        from sender: NodeID
    ) -> (token: UInt32, size: Int) {
        guard let token = free.popLast() else {
            var writer = WireWriter(reserving: 128)
            message.encode(into: &writer)
            senders.append(sender)
            messages.append(message)
            sizes.append(writer.count)
            buffers.append(writer.storage)
            return (UInt32(buffers.count - 1), writer.count)
        }
        let slot = Int(token)
        var buffer: [UInt8] = []
        swap(&buffer, &buffers[slot])
        // Where what was decoded last shares the buffer, writing to it makes a copy.
        var writer = WireWriter(reusing: consume buffer)
        message.encode(into: &writer)
        senders[slot] = sender
        messages[slot] = message
        sizes[slot] = writer.count
        buffers[slot] = writer.storage
        return (token, writer.count)
    }

    public func sender(of token: UInt32) -> NodeID { senders[Int(token)] }

    /// What crosses the network. Traps when the slot is free.
    public func bytes(of token: UInt32) -> Bytes {
        let size = sizes[Int(token)]
        precondition(size >= 0, "slot \(token) is free")
        return buffers[Int(token)][..<size]
    }

    /// The message, decoded from its bytes. Traps when decoding does not give what was sent: the code under
    /// test has a wrong codec.
    public func decoded(_ token: UInt32) -> Message {
        var reader = WireReader(bytes(of: token))
        guard let decoded = try? Message(from: &reader), decoded == messages[Int(token)] else {
            preconditionFailure("\(messages[Int(token)]!) does not survive its own encoding")
        }
        return decoded
    }

    /// Nobody will ask for this datagram again. Traps when the slot is free already.
    public mutating func free(_ token: UInt32) {
        let slot = Int(token)
        precondition(sizes[slot] >= 0, "slot \(token) is freed twice")
        sizes[slot] = -1
        if buffers[slot].count > DatagramTable.keptLength {
            buffers[slot] = []
            messages[slot] = nil
        }
        free.append(token)
    }
}
