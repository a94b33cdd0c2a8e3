import Machines
import Testing
import Transport
import Units

private let session = TransportTheatre.session

private func frame(_ kind: FrameHeader.Kind, number: UInt64 = 0, payload: [UInt8] = []) -> Bytes {
    var header = FrameHeader(kind, session: session, number: number)
    header.seal(Payload(payload))
    return header.bytes + payload
}

private func lastChunk(_ number: UInt64) -> Bytes {
    var header = FrameHeader(.chunk, session: session, number: number, isLast: true)
    header.seal(Payload())
    return header.bytes
}

/// A sender alone, its timers, and what it wants done.
private struct Sending {
    var sender: BulkSender
    var now = Instant.zero
    var timers: [BulkSender.Timer: Instant] = [:]
    var written: [StreamID: Int] = [:]
    var finished: [StreamID] = []
    var resets: [StreamID] = []
    var failure: TransportError?
    var isComplete = false

    /// Begins with all its streams open.
    init(_ configuration: TransportConfiguration, credit: Int = 100_000) {
        sender = BulkSender(session: session, peer: NodeID(1), configuration: configuration)
        step(.started)
        for ordinal in 0..<configuration.streams {
            step(.streamOpened(session.stream(ordinal), peer: NodeID(1)))
            step(.writable(session.stream(ordinal), credit: credit))
        }
    }

    mutating func step(_ input: Input<BulkSender>) {
        var actions = Actions<BulkSender>()
        sender.step(input, at: now, into: &actions)
        sender.checkInvariants()
        for action in actions.elements {
            switch action {
            case .setTimer(let timer, let time): timers[timer] = time
            case .cancelTimer(let timer): timers[timer] = nil
            case .write(let stream, let bytes): written[stream, default: 0] += bytes.count
            case .finish(let stream): finished.append(stream)
            case .reset(let stream): resets.append(stream)
            case .emit(.failed(let error)): failure = error
            case .emit(.completed): isComplete = true
            default: break
            }
        }
    }

    mutating func read(_ ordinal: Int, _ bytes: Bytes) {
        step(.readable(session.stream(ordinal), bytes))
    }

    /// Lets timers come due, at most so many.
    mutating func wait(for timersDue: Int) {
        for _ in 0..<timersDue {
            let next = timers.min { ($0.value, "\($0.key)") < ($1.value, "\($1.key)") }
            guard let next else { return }
            timers[next.key] = nil
            now = max(now, next.value)
            step(.fired(next.key))
        }
    }
}

// Goal: whatever a peer leaves undone, an end writes nothing to a stream that it has finished, keeps no more than
// is bounded, and is over some time.
// Method: one end alone, its streams open, against a peer that says only what a test gives it.
@Suite struct EndingTests {
    // An answer still waits for credit on one stream when the last chunk is acknowledged on the other.
    @Test func nothingIsWrittenAfterTheEnd() {
        var end = Sending(smallConfiguration(streams: 2))
        end.step(.writable(session.stream(1), credit: 0))
        end.step(.requested(.finish))
        end.read(1, frame(.note, payload: [1]))
        let before = end.written
        end.read(0, frame(.acknowledgement))
        #expect(end.isComplete)
        #expect(Set(end.finished) == [session.stream(0), session.stream(1)])
        end.step(.writable(session.stream(1), credit: 1_000))
        #expect(end.written == before)
    }

    @Test func aPeerThatNeverClosesItsSideIsLeft() {
        var end = Sending(smallConfiguration(streams: 2))
        end.step(.requested(.finish))
        end.read(0, frame(.acknowledgement))
        #expect(end.isComplete && !end.sender.isSettled)
        end.step(.finished(session.stream(0)))
        end.wait(for: 10)
        #expect(end.sender.isSettled && end.timers.isEmpty)
        #expect(end.resets == [session.stream(1)])
        #expect(end.now == .zero + .seconds(5))
    }

    @Test func thatWaitEndsWithTheLastStream() {
        var end = Sending(smallConfiguration(streams: 2))
        end.step(.requested(.finish))
        end.read(0, frame(.acknowledgement))
        end.step(.finished(session.stream(0)))
        #expect(!end.timers.isEmpty)
        end.step(.reset(session.stream(1), .byPeer))
        #expect(end.sender.isSettled && end.timers.isEmpty)
    }

    // The receiver's kernel acknowledges, and its process stands still: nothing but a probe is due.
    @Test func anIdleTransferWhosePeerIsSilentFails() {
        var configuration = smallConfiguration(streams: 2)
        configuration.progressLimit = .seconds(40)
        var end = Sending(configuration)
        end.wait(for: 10_000)
        #expect(end.failure == .noProgress)
        #expect(end.now < .zero + .seconds(80))
    }

    @Test func anIdleTransferWhosePeerAnswersGoesOn() {
        var configuration = smallConfiguration(streams: 2)
        configuration.progressLimit = .seconds(40)
        var end = Sending(configuration)
        while end.now < .zero + .seconds(300) {
            let before = end.written
            end.wait(for: 1)
            for ordinal in 0..<2 {
                let stream = session.stream(ordinal)
                guard end.written[stream] != before[stream] else { continue }
                end.read(ordinal, frame(.probeAnswer))
            }
        }
        #expect(end.failure == nil)
    }

    @Test func aNoteThatIsNeverAcknowledgedEndsTheTransfer() {
        var configuration = smallConfiguration(streams: 1)
        configuration.progressLimit = .seconds(10)
        var end = Sending(configuration)
        end.step(.requested(.note([1, 2, 3])))
        end.wait(for: 10_000)
        #expect(end.failure == .noProgress)
    }

    // It says the same over and over, and reads no answer.
    @Test func answersThatAreNeverReadCostTheStream() {
        var end = Sending(smallConfiguration(streams: 1))
        end.step(.writable(session.stream(0), credit: 0))
        let notes = [UInt8](repeating: 0, count: 100).flatMap { _ in frame(.note) }
        var frames = 0
        while end.resets.isEmpty, frames < 1_000_000 {
            end.read(0, notes[...])
            frames += 100
        }
        #expect(end.resets == [session.stream(0)])
        // Each answer has 40 bytes.
        #expect(frames * 40 < 1_000_000)
    }

    // What a receiver says over a stream that dies is said again, also when all chunks have come.
    @Test func notesOutliveTheLastChunk() {
        var receiver = BulkReceiver(session: session, epoch: 0, configuration: smallConfiguration())
        var notes: [StreamID] = []
        var isComplete = false
        func step(_ input: Input<BulkReceiver>) {
            var actions = Actions<BulkReceiver>()
            receiver.step(input, at: .zero, into: &actions)
            receiver.checkInvariants()
            for action in actions.elements {
                switch action {
                case .write(let stream, let bytes):
                    if bytes.first == FrameHeader.Kind.note.rawValue { notes.append(stream) }
                case .emit(.completed): isComplete = true
                default: break
                }
            }
        }
        func open(_ ordinal: Int) {
            step(.streamOpened(session.stream(ordinal), peer: NodeID(0)))
            step(.writable(session.stream(ordinal), credit: 10_000))
            step(.readable(session.stream(ordinal), frame(.hello)))
        }
        open(0)
        open(1)
        step(.requested(.note([7])))
        step(.readable(session.stream(0), lastChunk(0)))
        #expect(isComplete)
        #expect(notes.count == 1)
        step(.reset(session.stream(0), .failed))
        step(.reset(session.stream(1), .failed))
        open(2)
        #expect(notes.last == session.stream(2))
    }

    // A peer reads as fast as it asks, a few bytes at a time: what was written is not kept.
    @Test func answersThatWereWrittenAreForgotten() {
        var receiver = BulkReceiver(session: session, epoch: 0, configuration: smallConfiguration())
        let stream = session.stream(0)
        var written = 0
        func step(_ input: Input<BulkReceiver>) {
            var actions = Actions<BulkReceiver>()
            receiver.step(input, at: .zero, into: &actions)
            for case .write(_, let bytes) in actions.elements { written += bytes.count }
            // It holds the bound on what is kept of written answers.
            receiver.checkInvariants()
        }
        step(.streamOpened(stream, peer: NodeID(0)))
        step(.writable(stream, credit: 100))
        step(.readable(stream, frame(.hello)))
        let welcome = written
        for _ in 0..<2_000 {
            step(.readable(stream, frame(.probe)))
            step(.writable(stream, credit: FrameHeader.size - 1))
            step(.writable(stream, credit: 1))
            step(.readable(stream, frame(.probe)))
            step(.writable(stream, credit: FrameHeader.size))
        }
        #expect(written - welcome == 4_000 * FrameHeader.size)
    }

    // Goal: what is held keeps no more memory alive than eight times its bytes.
    // Method: a short chunk among probes that arrived with it; a chunk that arrives byte by byte.
    @Test func shortPiecesDoNotKeepWhatTheyCameIn() throws {
        let probes = (0..<1_000).flatMap { _ in frame(.probe) }
        var bytes = (probes + frame(.chunk, payload: [7]) + probes)[...]
        var decoder = FrameDecoder(session: session)
        var found: Payload?
        while let next = try decoder.next(from: &bytes) {
            if next.header.kind == .chunk { found = next.payload }
        }
        let piece = try #require(found?.pieces.first)
        // A slice that shares storage keeps its indices.
        #expect(piece.indices == 0..<1)
    }

    @Test func singleBytesAreJoined() throws {
        let content = (0..<3_000).map { UInt8(truncatingIfNeeded: $0 &* 7) }
        var decoder = FrameDecoder(session: session)
        var found: Payload?
        for byte in frame(.chunk, payload: content) {
            var bytes: Bytes = [byte]
            if let next = try decoder.next(from: &bytes) { found = next.payload }
        }
        let payload = try #require(found)
        #expect(payload.joined() == content[...])
        #expect(payload.pieces.count == 1)
    }
}
