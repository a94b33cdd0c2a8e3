import Machines
import Units

/// The answering side of `Echo`.
struct EchoServer {
    private let birth: (node: NodeID, incarnation: UInt32)
    /// Numbers that are durable, by client.
    private var durable: Set<EchoRecord>
    /// Batches on their way to the disk, oldest first; each is answered when durable.
    private var writing: [(id: WriteID, record: EchoRecord, payload: Bytes)] = []
    private var nextWrite: UInt64 = 0
    private var streams: [Incoming] = []
    private var nextJob: UInt64 = 0

    /// A stream on its way through the server: reading → summing → writing back.
    private struct Incoming {
        let id: StreamID
        var bytes: [UInt8] = []
        var job: JobID?
        /// What is still to be written back once the checksum is known.
        var pending: Bytes?
        var credit = 0
    }

    init(_ birth: Birth<Echo>) {
        self.birth = (birth.node, birth.incarnation)
        durable = Set(birth.recovered)
    }

    mutating func step(
        _ input: Input<Echo>,
        at now: Instant,
        into actions: inout Actions<Echo>
    ) {
        switch input {
        case .started:
            actions.emit(.serving(incarnation: birth.incarnation, recovered: durable.count))
        case .received(.ping(let sequence, let payload), let client):
            let record = EchoRecord(client: client, sequence: sequence)
            remember(record, payload, into: &actions)
        case .persisted(let id):
            persisted(id, into: &actions)
        case .streamOpened(let id, _):
            streams.append(Incoming(id: id))
        case .readable(let id, let bytes):
            read(bytes, from: id, into: &actions)
        case .finished(let id):
            sum(id, into: &actions)
        case .computed(let job, let checksum):
            answer(job, checksum, into: &actions)
        case .writable(let id, let credit):
            guard let index = index(of: id) else { return }
            streams[index].credit = credit
            writeBack(index, into: &actions)
        case .reset(let id, _):
            streams.removeAll { $0.id == id }
        case .received(.pong, _), .requested, .fired, .path:
            break
        }
    }

    func checkInvariants() {
        for pair in zip(writing, writing.dropFirst()) {
            precondition(pair.0.id.rawValue < pair.1.id.rawValue, "writes are out of order")
        }
        for stream in streams {
            precondition(stream.bytes.count <= Echo.streamLimit, "stream beyond its limit")
        }
    }

    private mutating func remember(
        _ record: EchoRecord,
        _ payload: Bytes,
        into actions: inout Actions<Echo>
    ) {
        guard !durable.contains(record) else {
            pong(record, payload, into: &actions)
            return
        }
        guard !writing.contains(where: { $0.record == record }) else { return }
        let id = WriteID(nextWrite)
        nextWrite += 1
        writing.append((id, record, payload))
        actions.persist([record], id: id)
    }

    private mutating func persisted(_ id: WriteID, into actions: inout Actions<Echo>) {
        guard let first = writing.first, first.id == id else {
            preconditionFailure("write \(id) completed out of order")
        }
        writing.removeFirst()
        durable.insert(first.record)
        pong(first.record, first.payload, into: &actions)
    }

    private func pong(
        _ record: EchoRecord,
        _ payload: Bytes,
        into actions: inout Actions<Echo>
    ) {
        let message = EchoMessage.pong(
            sequence: record.sequence,
            served: UInt64(durable.count),
            payload: payload
        )
        actions.send(message, to: record.client)
    }

    private func index(of id: StreamID) -> Int? {
        streams.firstIndex { $0.id == id }
    }

    private mutating func read(
        _ bytes: Bytes,
        from id: StreamID,
        into actions: inout Actions<Echo>
    ) {
        guard let index = index(of: id) else { return }
        guard streams[index].bytes.count + bytes.count <= Echo.streamLimit else {
            streams.remove(at: index)
            actions.reset(id)
            return
        }
        streams[index].bytes.append(contentsOf: bytes)
        actions.grant(id, bytes: bytes.count)
    }

    private mutating func sum(_ id: StreamID, into actions: inout Actions<Echo>) {
        guard let index = index(of: id), streams[index].job == nil else { return }
        let job = JobID(nextJob)
        nextJob += 1
        streams[index].job = job
        actions.compute(EchoJob(bytes: streams[index].bytes), id: job)
    }

    private mutating func answer(
        _ job: JobID,
        _ checksum: UInt64,
        into actions: inout Actions<Echo>
    ) {
        guard let index = streams.firstIndex(where: { $0.job == job }) else { return }
        var writer = WireWriter(reserving: streams[index].bytes.count + 8)
        writer.write(bytes: streams[index].bytes)
        writer.write(checksum)
        streams[index].pending = writer.bytes[...]
        writeBack(index, into: &actions)
    }

    private mutating func writeBack(_ index: Int, into actions: inout Actions<Echo>) {
        guard let pending = streams[index].pending, streams[index].credit > 0 else { return }
        let part = pending.prefix(streams[index].credit)
        streams[index].credit -= part.count
        streams[index].pending = pending[part.endIndex...]
        actions.write(streams[index].id, part)
        if part.endIndex == pending.endIndex {
            actions.finish(streams[index].id)
            streams.remove(at: index)
        }
    }
}
