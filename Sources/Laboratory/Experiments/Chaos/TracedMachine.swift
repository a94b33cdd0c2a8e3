public import Machines
public import Measurements
public import Units

/// A machine whose inputs and actions are written down on the way; it behaves exactly as the one
/// inside, so that a traced run has the fingerprint of the run without.
///
/// Tracing is a type of its own, so that runs without it carry no trace of it.
public struct TracedMachine<Base: Machine>: Machine {
    public typealias Request = Base.Request
    public typealias Message = Base.Message
    public typealias Timer = Base.Timer
    public typealias Write = Base.Write
    public typealias Job = Base.Job
    public typealias Event = Base.Event

    private var base: Base
    private let node: NodeID
    private let recorder: TraceRecorder
    private var actions = Actions<Base>()

    init(_ base: Base, birth: Birth<Base>, recorder: TraceRecorder) {
        self.base = base
        self.recorder = recorder
        node = birth.node
        let recovered = birth.recovered.count
        let memory = recovered == 0 ? "" : ", recovered records: \(recovered)"
        recorder.note(
            .born,
            birth.incarnation == 0 ? "starts" : "starts again (\(birth.incarnation))\(memory)",
            on: node
        )
    }

    public func checkInvariants() { base.checkInvariants() }
    public var biasedPoints: BiasedPoints { base.biasedPoints }
    public var leadership: UInt64? { base.leadership }
    public var closingEvents: [Event] { base.closingEvents }

    public mutating func step(
        _ input: Input<Self>,
        at now: Instant,
        into actions: inout Actions<Self>
    ) {
        let input = TracedMachine.inner(input)
        note(input)
        base.step(input, at: now, into: &self.actions)
        while let action = self.actions.popFirst() {
            note(action)
            actions.append(TracedMachine.outer(action))
        }
    }

    // MARK: - Words

    private func note(_ input: Input<Base>) {
        switch input {
        case .started, .writable, .path: break
        case .requested(let request):
            recorder.note(.reported, "asked \(TraceWords.of(request))", on: node)
        case .received(let message, let peer):
            recorder.received(
                TracedMachine.bytes(message),
                TraceWords.of(message),
                from: peer,
                on: node
            )
        case .fired(let timer): recorder.note(.fired, TraceWords.of(timer), on: node)
        case .persisted(let id): recorder.note(.persisted, "write \(id.rawValue)", on: node)
        case .computed(let id, _): recorder.note(.computed, "job \(id.rawValue)", on: node)
        case .streamOpened(let stream, let peer): recorder.accepted(stream, from: peer, on: node)
        case .readable(let stream, let bytes): recorder.read(bytes.count, on: stream, by: node)
        case .finished(let stream):
            recorder.note(.stream, "stream \(stream.number) ends", on: node)
        case .reset(let stream, let reason):
            recorder.note(.stream, "stream \(stream.number) is gone, \(reason)", on: node)
        }
    }

    private func note(_ action: Action<Base>) {
        switch action {
        case .setTimer, .cancelTimer, .grant, .compute: break
        case .send(let message, let peer):
            recorder.sent(
                TracedMachine.bytes(message),
                TraceWords.of(message),
                from: node,
                to: peer
            )
        case .openStream(let stream, let peer, _): recorder.opened(stream, by: node, to: peer)
        case .write(let stream, let bytes):
            recorder.wrote(bytes.count, TracedMachine.words(bytes), on: stream, by: node)
        case .finish(let stream):
            recorder.note(.stream, "finishes stream \(stream.number)", on: node)
        case .reset(let stream):
            recorder.note(.stream, "resets stream \(stream.number)", on: node)
        case .persist(let records, let id):
            let first = records.first.map { " \(TraceWords.of($0))" } ?? ""
            let more = records.count > 1 ? " and \(records.count - 1) more" : ""
            recorder.note(.persisting, "write \(id.rawValue):\(first)\(more)", on: node)
        case .emit(let event): recorder.note(.reported, TraceWords.of(event), on: node)
        }
    }

    private static func words(_ bytes: Bytes) -> String {
        let told = (Base.self as? any StreamTraceText.Type)?.traceText(ofStream: bytes)
        return told ?? "\(bytes.count) B"
    }

    private static func bytes(_ message: Base.Message) -> [UInt8] {
        var writer = WireWriter()
        message.encode(into: &writer)
        return writer.bytes
    }

    // MARK: - Types

    private static func inner(_ input: Input<Self>) -> Input<Base> {
        switch input {
        case .started: .started
        case .requested(let request): .requested(request)
        case .received(let message, let peer): .received(message, from: peer)
        case .fired(let timer): .fired(timer)
        case .persisted(let id): .persisted(id)
        case .computed(let id, let output): .computed(id, output)
        case .streamOpened(let stream, let peer): .streamOpened(stream, peer: peer)
        case .writable(let stream, let credit): .writable(stream, credit: credit)
        case .readable(let stream, let bytes): .readable(stream, bytes)
        case .finished(let stream): .finished(stream)
        case .reset(let stream, let reason): .reset(stream, reason)
        case .path(let stream, let sample): .path(stream, sample)
        }
    }

    private static func outer(_ action: Action<Base>) -> Action<Self> {
        switch action {
        case .send(let message, let peer): .send(message, to: peer)
        case .setTimer(let timer, let time): .setTimer(timer, at: time)
        case .cancelTimer(let timer): .cancelTimer(timer)
        case .openStream(let stream, let peer, let options):
            .openStream(stream, to: peer, options)
        case .write(let stream, let bytes): .write(stream, bytes)
        case .grant(let stream, let count): .grant(stream, bytes: count)
        case .finish(let stream): .finish(stream)
        case .reset(let stream): .reset(stream)
        case .persist(let records, let id): .persist(records, id: id)
        case .compute(let job, let id): .compute(job, id: id)
        case .emit(let event): .emit(event)
        }
    }
}

/// An experiment on traced machines; the setting brings the recorder.
public struct TracedExperiment<Kind: Experiment>: Experiment {
    private let kind: Kind
    private let recorder: TraceRecorder

    public init(_ setting: ReplicationSetting) {
        guard let recorder = setting.recorder else {
            preconditionFailure("a traced run without a recorder")
        }
        kind = Kind(setting)
        self.recorder = recorder
    }

    public func makeMachine(_ birth: Birth<TracedMachine<Kind.Program>>)
        -> TracedMachine<Kind.Program>
    {
        let inner = Birth<Kind.Program>(
            node: birth.node,
            incarnation: birth.incarnation,
            recovered: birth.recovered,
            seed: birth.seed,
            points: birth.points
        )
        return TracedMachine(kind.makeMachine(inner), birth: inner, recorder: recorder)
    }

    public func makeObserver() -> TracedObserver<Kind.Observer> {
        TracedObserver(base: kind.makeObserver(), recorder: recorder)
    }
}

/// Tells the recorder the run's time, and everything else to the observer inside.
public struct TracedObserver<Base: ExperimentObserver>: ExperimentObserver {
    public typealias Program = TracedMachine<Base.Program>

    var base: Base
    let recorder: TraceRecorder

    public mutating func observe(_ event: Base.Program.Event, on node: NodeID, at time: Instant) {
        base.observe(event, on: node, at: time)
    }

    public mutating func advance(to time: Instant) {
        recorder.now = time
        base.advance(to: time)
    }

    public mutating func observe(incident: NodeIncident, on node: NodeID, at time: Instant) {
        base.observe(incident: incident, on: node, at: time)
    }

    public var isFinished: Bool { base.isFinished }

    public func measure(_ ending: ReplicationEnding, into record: inout RunRecord) {
        base.measure(ending, into: &record)
    }
}
