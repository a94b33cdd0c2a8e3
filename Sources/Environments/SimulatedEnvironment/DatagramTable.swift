import Determinism
public import Machines
public import Units

/// Datagrams on their way, by the token that the network knows them by.
///
/// A slot keeps its buffer and the message until the next one takes its place, so that in the long run a
/// datagram allocates nothing and is destroyed nowhere on its way.
public struct DatagramTable<Message: WireMessage> {
    private var slots: [Slot] = []
    private var free: [UInt32] = []

    private struct Slot {
        var sender: NodeID
        var message: Message
        /// Begins with the bytes of the message.
        var buffer: [UInt8]
        /// Negative while the slot is free.
        var size: Int
    }

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
            let size = writer.count
            slots.append(
                Slot(sender: sender, message: message, buffer: writer.storage, size: size)
            )
            return (UInt32(slots.count - 1), size)
        }
        var buffer: [UInt8] = []
        swap(&buffer, &slots[Int(token)].buffer)
        // Where what was decoded last shares the buffer, writing to it makes a copy.
        var writer = WireWriter(reusing: consume buffer)
        message.encode(into: &writer)
        let size = writer.count
        slots[Int(token)] = Slot(
            sender: sender,
            message: message,
            buffer: writer.storage,
            size: size
        )
        return (token, size)
    }

    public func sender(of token: UInt32) -> NodeID { slots[Int(token)].sender }

    /// What crosses the network. Traps when the slot is free.
    public func bytes(of token: UInt32) -> Bytes {
        let size = slots[Int(token)].size
        precondition(size >= 0, "slot \(token) is free")
        return slots[Int(token)].buffer[..<size]
    }

    /// The digest of the sender and of what crosses the network. Traps when the slot is free.
    public func digest(of token: UInt32) -> UInt64 {
        slots.withUnsafeBufferPointer { slots in
            let size = slots[Int(token)].size
            precondition(size >= 0, "slot \(token) is free")
            var chain = HashChain(key: UInt64(slots[Int(token)].sender.rawValue))
            slots[Int(token)].buffer.withUnsafeBytes {
                chain.combine(bytes: UnsafeRawBufferPointer(rebasing: $0[..<size]))
            }
            return chain.fingerprint.low
        }
    }

    /// The message, decoded from its bytes. Traps when decoding does not give what was sent: the code under
    /// test has a wrong codec.
    public func decoded(_ token: UInt32) -> Message {
        var reader = WireReader(bytes(of: token))
        do throws(WireError) {
            let decoded = try Message(from: &reader)
            // In place: what was sent would be copied.
            if slots.withUnsafeBufferPointer({ $0[Int(token)].message == decoded }) { return decoded }
        } catch {}
        preconditionFailure("\(slots[Int(token)].message) does not survive its own encoding")
    }

    /// Nobody will ask for this datagram again. Traps when the slot is free already.
    public mutating func free(_ token: UInt32) {
        let slot = Int(token)
        precondition(slots[slot].size >= 0, "slot \(token) is freed twice")
        slots[slot].size = -1
        if slots[slot].buffer.count > DatagramTable.keptLength { slots[slot].buffer = [] }
        free.append(token)
    }
}
