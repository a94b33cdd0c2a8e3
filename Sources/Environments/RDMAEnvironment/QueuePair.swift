import CVerbs
import Glibc
import Machines
import StreamLinks
import Units

/// A reliable-connected queue pair with its memory: a ring that the peer writes to, our copy of the
/// ring in the peer's memory, and buffers for control messages. Confined to one thread.
///
/// States follow the verbs: reset, init (`init`), ready to receive and to send (`connect`), and
/// error, after which every posted request completes with a failure.
final class QueuePair {
    /// Bytes of each ring.
    static let ringLength = 1 << 20
    /// Receives kept posted.
    static let receives = 256
    /// Sends and writes that may be posted at a time, besides those that return credit.
    static let posts = 252
    private static let slots = posts + MessageAccount.reserve

    /// What completed.
    enum Completion {
        case posted
        case message(Bytes)
        case write(stream: UInt32, count: Int)
        case failed(String)
    }

    let device: RDMADevice
    private let channel: CompletionChannel
    private let domain: VerbsLibrary.Domain
    private let completions: VerbsLibrary.Completions
    private let pair: VerbsLibrary.Pair
    private let memory: UnsafeMutableRawPointer
    /// What the peer may write to, and what only we use.
    private let ring: VerbsLibrary.Region
    private let region: VerbsLibrary.Region
    private var peer: (address: UInt64, key: UInt32) = (0, 0)
    private var nextSlot = 0

    private static let incoming = 0
    private static let outgoing = ringLength
    private static let inbox = 2 * ringLength
    private static let outbox = inbox + receives * ControlMessage.length
    private static let total = outbox + slots * ControlMessage.length

    /// - Parameter number: what the channel calls back with.
    init(on channel: CompletionChannel, number: Int) throws(RDMAFailure) {
        let device = channel.device
        let verbs = device.library
        let bytes = UnsafeMutableRawPointer.allocate(
            byteCount: QueuePair.total,
            alignment: 4_096
        )
        bytes.initializeMemory(as: UInt8.self, repeating: 0, count: QueuePair.total)
        // Taken back in the opposite order when a later step fails.
        var undo: [() -> Void] = [{ bytes.deallocate() }]
        func failure(_ what: String) -> RDMAFailure {
            let failure = RDMAFailure("\(device.name): \(what)", code: errno)
            for step in undo.reversed() { step() }
            return failure
        }
        guard let domain = verbs.allocateDomain(device.context) else {
            throw failure("no protection domain")
        }
        undo.append { _ = verbs.freeDomain(domain) }
        // The peer may write to its ring and nowhere else.
        let local = IBV_ACCESS_LOCAL_WRITE.rawValue
        let both = local | IBV_ACCESS_REMOTE_WRITE.rawValue
        let own = QueuePair.total - QueuePair.outgoing
        guard
            let ring = verbs.registerMemory(domain, bytes, QueuePair.ringLength, Int32(both))
        else { throw failure("\(QueuePair.ringLength) bytes cannot be registered") }
        undo.append { _ = verbs.deregisterMemory(ring) }
        guard
            let region = verbs.registerMemory(
                domain,
                bytes + QueuePair.outgoing,
                own,
                Int32(local)
            )
        else { throw failure("\(own) bytes cannot be registered") }
        undo.append { _ = verbs.deregisterMemory(region) }
        let entries = Int32(QueuePair.receives + QueuePair.slots)
        let context = UnsafeMutableRawPointer(bitPattern: number)
        guard
            let queue = verbs.createCompletions(device.context, entries, context, channel.handle, 0)
        else { throw failure("no completion queue") }
        undo.append { _ = verbs.destroyCompletions(queue) }
        var request = ibv_qp_init_attr()
        request.send_cq = queue
        request.recv_cq = queue
        request.qp_type = IBV_QPT_RC
        request.cap.max_send_wr = UInt32(QueuePair.slots)
        request.cap.max_recv_wr = UInt32(QueuePair.receives)
        request.cap.max_send_sge = 1
        request.cap.max_recv_sge = 1
        guard let pair = verbs.createPair(domain, &request) else { throw failure("no queue pair") }
        self.device = device
        self.channel = channel
        self.domain = domain
        self.ring = ring
        self.region = region
        completions = queue
        self.pair = pair
        memory = bytes
        try initialize()
    }

    deinit {
        let verbs = device.library
        _ = verbs.destroyPair(pair)
        _ = verbs.destroyCompletions(completions)
        _ = verbs.deregisterMemory(region)
        _ = verbs.deregisterMemory(ring)
        _ = verbs.freeDomain(domain)
        memory.deallocate()
    }

    /// What a peer needs to know to connect.
    func offer(from node: NodeID, packetNumber: UInt32) throws(RDMAFailure) -> LinkOffer {
        guard let attributes = device.attributes, let address = device.address else {
            throw RDMAFailure("\(device.name) has no address")
        }
        return LinkOffer(
            node: node,
            queuePair: pair.pointee.qp_num,
            packetNumber: packetNumber,
            ringAddress: UInt64(UInt(bitPattern: memory + QueuePair.incoming)),
            ringKey: ring.pointee.rkey,
            ringLength: QueuePair.ringLength,
            receives: QueuePair.receives,
            lid: attributes.lid,
            mtu: UInt8(truncatingIfNeeded: attributes.active_mtu.rawValue),
            gid: address.gid
        )
    }

    private func initialize() throws(RDMAFailure) {
        var attributes = ibv_qp_attr()
        attributes.qp_state = IBV_QPS_INIT
        attributes.port_num = 1
        attributes.qp_access_flags =
            UInt32(IBV_ACCESS_LOCAL_WRITE.rawValue | IBV_ACCESS_REMOTE_WRITE.rawValue)
        let mask = [IBV_QP_STATE, IBV_QP_PKEY_INDEX, IBV_QP_PORT, IBV_QP_ACCESS_FLAGS]
        try modify(&attributes, mask, "init")
        for slot in 0..<QueuePair.receives { try postReceive(slot) }
    }

    /// Connects to the peer's queue pair; both offers are known to both sides.
    func connect(_ ours: LinkOffer, to theirs: LinkOffer) throws(RDMAFailure) {
        guard let address = device.address else {
            throw RDMAFailure("\(device.name) has no address")
        }
        // What is written to a ring is prepared at the same place of an area as long as ours.
        guard theirs.ringLength <= QueuePair.ringLength else {
            throw RDMAFailure("the peer's ring has \(theirs.ringLength) bytes, more than ours")
        }
        peer = (theirs.ringAddress, theirs.ringKey)
        var attributes = ibv_qp_attr()
        attributes.qp_state = IBV_QPS_RTR
        attributes.path_mtu = ibv_mtu(rawValue: UInt32(min(ours.mtu, theirs.mtu)))
        attributes.dest_qp_num = theirs.queuePair
        attributes.rq_psn = theirs.packetNumber
        // A receiver that is late answers "not ready"; 12 is 0.64 ms until the next try.
        attributes.min_rnr_timer = 12
        attributes.ah_attr.port_num = 1
        attributes.ah_attr.dlid = theirs.lid
        attributes.ah_attr.is_global = 1
        attributes.ah_attr.grh.sgid_index = address.index
        attributes.ah_attr.grh.hop_limit = 64
        withUnsafeMutableBytes(of: &attributes.ah_attr.grh.dgid) { $0.copyBytes(from: theirs.gid) }
        try modify(
            &attributes,
            [
                IBV_QP_STATE, IBV_QP_AV, IBV_QP_PATH_MTU, IBV_QP_DEST_QPN, IBV_QP_RQ_PSN,
                IBV_QP_MAX_DEST_RD_ATOMIC, IBV_QP_MIN_RNR_TIMER,
            ],
            "ready to receive"
        )
        attributes = ibv_qp_attr()
        attributes.qp_state = IBV_QPS_RTS
        attributes.sq_psn = ours.packetNumber
        // 4.096 µs · 2^16 is 0.27 s until a retransmission, seven of them until an error.
        attributes.timeout = 16
        attributes.retry_cnt = 7
        attributes.rnr_retry = 7
        try modify(
            &attributes,
            [
                IBV_QP_STATE, IBV_QP_TIMEOUT, IBV_QP_RETRY_CNT, IBV_QP_RNR_RETRY, IBV_QP_SQ_PSN,
                IBV_QP_MAX_QP_RD_ATOMIC,
            ],
            "ready to send"
        )
        requestNotice()
    }

    /// Puts the pair into its error state: whatever is posted completes with a failure.
    func breakDown() {
        var attributes = ibv_qp_attr()
        attributes.qp_state = IBV_QPS_ERR
        try? modify(&attributes, [IBV_QP_STATE], "error")
    }

    private func modify(
        _ attributes: inout ibv_qp_attr,
        _ mask: [ibv_qp_attr_mask],
        _ state: String
    ) throws(RDMAFailure) {
        let bits = mask.reduce(0) { $0 | $1.rawValue }
        let code = device.library.modifyPair(pair, &attributes, Int32(bits))
        guard code == 0 else {
            throw RDMAFailure("\(device.name): queue pair not \(state)", code: code)
        }
    }

    // MARK: Posting

    func send(_ message: [UInt8]) throws(RDMAFailure) {
        let place = QueuePair.outbox + nextSlot * ControlMessage.length
        nextSlot = (nextSlot + 1) % QueuePair.slots
        message.withUnsafeBytes {
            (memory + place).copyMemory(from: $0.baseAddress!, byteCount: $0.count)
        }
        var request = ibv_send_wr()
        request.opcode = IBV_WR_SEND
        try post(&request, place, message.count)
    }

    func write(_ pieces: [Bytes], at offset: Int, stream: UInt32) throws(RDMAFailure) {
        var count = 0
        for piece in pieces {
            let target = memory + (QueuePair.outgoing + offset + count)
            piece.withUnsafeBytes { target.copyMemory(from: $0.baseAddress!, byteCount: $0.count) }
            count += piece.count
        }
        var request = ibv_send_wr()
        request.opcode = IBV_WR_RDMA_WRITE_WITH_IMM
        request.imm_data = stream.bigEndian
        request.wr.rdma.remote_addr = peer.address + UInt64(offset)
        request.wr.rdma.rkey = peer.key
        try post(&request, QueuePair.outgoing + offset, count)
    }

    private func post(
        _ request: inout ibv_send_wr,
        _ place: Int,
        _ count: Int
    ) throws(RDMAFailure) {
        request.wr_id = UInt64(QueuePair.receives)
        request.num_sge = 1
        request.send_flags = IBV_SEND_SIGNALED.rawValue
        var piece = element(place, count)
        let code = withUnsafeMutablePointer(to: &piece) { pointer in
            request.sg_list = pointer
            var bad: UnsafeMutablePointer<ibv_send_wr>?
            return ibv_post_send(pair, &request, &bad)
        }
        guard code == 0 else { throw RDMAFailure("\(device.name): posting a send", code: code) }
    }

    private func postReceive(_ slot: Int) throws(RDMAFailure) {
        var request = ibv_recv_wr()
        request.wr_id = UInt64(slot)
        request.num_sge = 1
        var piece = element(
            QueuePair.inbox + slot * ControlMessage.length,
            ControlMessage.length
        )
        let code = withUnsafeMutablePointer(to: &piece) { pointer in
            request.sg_list = pointer
            var bad: UnsafeMutablePointer<ibv_recv_wr>?
            return ibv_post_recv(pair, &request, &bad)
        }
        guard code == 0 else { throw RDMAFailure("\(device.name): posting a receive", code: code) }
    }

    private func element(_ place: Int, _ count: Int) -> ibv_sge {
        ibv_sge(
            addr: UInt64(UInt(bitPattern: memory + place)),
            length: UInt32(count),
            lkey: region.pointee.lkey
        )
    }

    // MARK: Completions

    /// Asks for one notice of the next completion.
    func requestNotice() {
        _ = ibv_req_notify_cq(completions, 0)
    }

    /// Hands over what has completed, at most `limit`; gives how many it were.
    func poll(limit: Int, _ take: (Completion) -> Void) -> Int {
        var item = ibv_wc()
        for count in 0..<limit {
            let found = ibv_poll_cq(completions, 1, &item)
            guard found == 1 else {
                if found < 0 { take(.failed("\(device.name): the completion queue failed")) }
                return count
            }
            take(completion(item))
        }
        return limit
    }

    private func completion(_ item: ibv_wc) -> Completion {
        guard item.status == IBV_WC_SUCCESS else {
            return .failed("\(device.name): a request failed with status \(item.status.rawValue)")
        }
        let slot = Int(item.wr_id)
        guard slot < QueuePair.receives else { return .posted }
        let count = Int(item.byte_len)
        let completion: Completion
        if item.opcode == IBV_WC_RECV_RDMA_WITH_IMM {
            completion = .write(stream: UInt32(bigEndian: item.imm_data), count: count)
        } else {
            let place = memory + (QueuePair.inbox + slot * ControlMessage.length)
            let length = min(count, ControlMessage.length)
            completion = .message(Array(UnsafeRawBufferPointer(start: place, count: length))[...])
        }
        do throws(RDMAFailure) {
            try postReceive(slot)
        } catch {
            return .failed(error.description)
        }
        return completion
    }

    /// Copies out of the ring that the peer writes to.
    func read(_ range: Range<Int>) -> Bytes {
        let start = memory + (QueuePair.incoming + range.lowerBound)
        return Array(UnsafeRawBufferPointer(start: start, count: range.count))[...]
    }
}
