extension Actions {
    /// Takes over what a child machine wants done, in order, and hands its events to the parent.
    ///
    /// For children that live on streams and timers only. The parent keeps the child's buffer and the
    /// events buffer as fields, so that nothing is allocated once they have grown; it steps the child
    /// with `child`, absorbs, and then goes through `events`. Afterwards `child` is empty.
    ///
    /// - Parameters:
    ///   - child: what the child's steps appended.
    ///   - events: the child's events are appended here.
    ///   - timer: wraps a child's timer in the parent's.
    public mutating func absorb<Child: Machine>(
        _ child: inout Actions<Child>,
        events: inout [Child.Event],
        timer: (Child.Timer) -> Program.Timer
    ) where Child.Message == NoMessage, Child.Write == NoRecord, Child.Job == NoWork {
        while let action = child.popFirst() {
            switch action {
            case .setTimer(let name, let time): setTimer(timer(name), at: time)
            case .cancelTimer(let name): cancelTimer(timer(name))
            case .openStream(let stream, let peer, let options):
                openStream(stream, to: peer, options)
            case .write(let stream, let bytes): write(stream, bytes)
            case .grant(let stream, let bytes): grant(stream, bytes: bytes)
            case .finish(let stream): finish(stream)
            case .reset(let stream): reset(stream)
            case .emit(let event): events.append(event)
            // The constraints leave these without a value.
            case .send, .persist, .compute: preconditionFailure("a child without these acted so")
            }
        }
    }
}

extension Input {
    /// This input as a child machine sees it, when it concerns a stream or the machine's birth;
    /// `nil` for what a parent must translate itself.
    public func forwarded<Child: Machine>(to child: Child.Type) -> Input<Child>? {
        switch self {
        case .started: .started
        case .streamOpened(let stream, let peer): .streamOpened(stream, peer: peer)
        case .writable(let stream, let credit): .writable(stream, credit: credit)
        case .readable(let stream, let bytes): .readable(stream, bytes)
        case .finished(let stream): .finished(stream)
        case .reset(let stream, let reason): .reset(stream, reason)
        case .path(let stream, let sample): .path(stream, sample)
        case .requested, .received, .fired, .persisted, .computed: nil
        }
    }
}
