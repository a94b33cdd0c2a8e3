import Determinism
public import Machines
public import Units

/// Datagrams on their way, by the token that the network knows them by.
///
/// A slot keeps its buffer and the message until the next one takes its place, unless they are long, so that in
/// the long run a datagram allocates nothing and is destroyed nowhere on its way.
public struct DatagramTable<Message: WireMessage> {
    private var slots: [Slot] = []
    private var free: [UInt32] = []
    /// A short message, which takes the place of long ones that nobody needs any more.
    private var short: Message?

    private struct Slot {
        var sender: NodeID
        var message: Message
        /// Begins with the bytes of the message.
        var buffer: [UInt8]
        /// Negative while the slot is free.
        var size: Int

        @inline(never)
        func reject() -> Never {
            preconditionFailure("\(message) does not survive its own encoding")
        }
    }

    public init() {}

    /// What is longer than this is given back.
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
            if short == nil, size <= DatagramTable.keptLength { short = copy message }
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
        // Part by part: the slot as a whole would be destroyed first.
        slots[Int(token)].message = message
        slots[Int(token)].buffer = writer.storage
        slots[Int(token)].sender = sender
        slots[Int(token)].size = size
        return (token, size)
    }

    public func sender(of token: UInt32) -> NodeID { slots[Int(token)].sender }

    /// The message, decoded from its bytes, and the digest of the sender and those bytes. Traps when the slot is
    /// free, and when decoding does not give what was sent: the code under test has a wrong codec.
    public func opened(_ token: UInt32) -> (message: Message, digest: UInt64) {
        // In place: a slot, or what was sent, would be copied.
        slots.withUnsafeBufferPointer { slots in
            let place = Int(token)
            precondition(slots[place].size >= 0, "slot \(token) is free")
            let size = slots[place].size
            var chain = HashChain(key: UInt64(slots[place].sender.rawValue))
            slots[place].buffer.withUnsafeBytes {
                chain.combine(bytes: UnsafeRawBufferPointer(rebasing: $0[..<size]))
            }
            var reader = WireReader(slots[place].buffer[..<size])
            let message: Message
            do throws(WireError) {
                message = try Message(from: &reader)
            } catch {
                slots[place].reject()
            }
            if slots[place].message != message { slots[place].reject() }
            // Moved out: it is used no more here.
            return (message, chain.fingerprint.low)
        }
    }

    /// Nobody will ask for this datagram again. Traps when the slot is free already.
    public mutating func free(_ token: UInt32) {
        let slot = Int(token)
        precondition(slots[slot].size >= 0, "slot \(token) is freed twice")
        slots[slot].size = -1
        if slots[slot].buffer.count > DatagramTable.keptLength {
            slots[slot].buffer = []
            if let short { slots[slot].message = short }
        }
        free.append(token)
    }
}
