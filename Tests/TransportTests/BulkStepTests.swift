import Machines
import Testing
import Transport
import Units

private let session = TransportTheatre.session

private func frame(
    _ kind: FrameHeader.Kind,
    number: UInt64 = 0,
    value: UInt64 = 0,
    payload: [UInt8] = [],
    isLast: Bool = false
) -> Bytes {
    var header = FrameHeader(
        kind,
        session: session,
        number: number,
        value: value,
        isLast: isLast
    )
    header.seal(Payload(payload))
    return header.bytes + payload
}

// Goal: each thing a peer may do has its one answer.
// Method: a table of what a stream brings after hello, and what the receiver says and logs; likewise
// for the sender.
@Suite struct BulkStepTests {
    private func receiverLog(_ frames: [Bytes]) -> [String] {
        let theatre = TransportTheatre(configuration: smallConfiguration(streams: 1, window: 4_096))
        theatre.toReceiver(.streamOpened(theatre.stream(0), peer: NodeID(0)))
        theatre.toReceiver(.writable(theatre.stream(0), credit: 10_000))
        theatre.toReceiver(.readable(theatre.stream(0), frame(.hello, value: 4_096)))
        _ = theatre.takeLog()
        for bytes in frames { theatre.toReceiver(.readable(theatre.stream(0), bytes)) }
        return theatre.takeLog()
    }

    @Test func receiverAnswers() {
        let rejected = { (error: TransportError) in
            [
                "receiver resets #0", "receiver: lost #0: \(error)",
                "receiver sets stalled at 5 s",
            ]
        }
        let table: [([Bytes], [String])] = [
            (
                [frame(.chunk, payload: [1, 2])],
                [
                    "receiver: delivered 0 (2)",
                    "receiver writes acknowledgement 0, limit 4096 on #0",
                ]
            ),
            // A gap is held back and acknowledged.
            (
                [frame(.chunk, number: 1, value: 258, payload: [1])],
                ["receiver writes acknowledgement 1, limit 4096 on #0"]
            ),
            (
                [frame(.chunk, payload: [1]), frame(.chunk, payload: [1])],
                [
                    "receiver: delivered 0 (1)",
                    "receiver writes acknowledgement 0, limit 4096 on #0",
                    "receiver writes acknowledgement 0, limit 4096 on #0",
                ]
            ),
            (
                [frame(.chunk, isLast: true)],
                ["receiver: completed", "receiver writes acknowledgement 0, limit 4352 on #0"]
            ),
            ([frame(.chunk)], rejected(.malformed("an empty chunk"))),
            (
                [frame(.chunk, number: 3, value: 4_000, payload: [1])],
                rejected(.windowExceeded)
            ),
            (
                [frame(.chunk, number: 5_000, payload: [1])],
                rejected(.windowExceeded)
            ),
            (
                [frame(.chunk, value: .max, payload: [1])],
                rejected(.windowExceeded)
            ),
            ([frame(.hello)], rejected(.malformed("a second hello"))),
            (
                [frame(.noteAcknowledgement, number: 1)],
                rejected(.malformed("acknowledges note 1, which was never sent"))
            ),
            ([frame(.note, number: 64)], rejected(.windowExceeded)),
            (
                [frame(.acknowledgement)],
                rejected(.malformed("a sender sent a frame of kind acknowledgement"))
            ),
            // A position that does not follow is the sender's own mistake: sending again is no help.
            (
                [frame(.chunk, value: 7, payload: [1])],
                [
                    "receiver resets #0",
                    "receiver: failed malformed(\"chunk 0 at 7, not 0\")",
                ]
            ),
        ]
        for (frames, expected) in table { #expect(receiverLog(frames) == expected) }
    }

    // Goal: what has come is told apart from what was delivered, and counts once. Method: the second of two chunks
    // twice, then the first.
    @Test func chunksThatWaitForOlderOnes() {
        let theatre = TransportTheatre(configuration: smallConfiguration(streams: 1))
        let stream = theatre.stream(0)
        func take(_ bytes: Bytes) { theatre.toReceiver(.readable(stream, bytes)) }
        theatre.toReceiver(.streamOpened(stream, peer: NodeID(0)))
        theatre.toReceiver(.writable(stream, credit: 10_000))
        take(frame(.hello))
        let second = frame(
            .chunk,
            number: 1,
            value: UInt64(3 + FrameHeader.chunkCharge),
            payload: [4, 5]
        )
        for _ in 0..<2 {
            take(second)
            #expect(theatre.receiver.heldChunks.map(\.number) == [1])
            #expect(theatre.receiver.heldChunks[0].payload.joined() == [4, 5])
            #expect(theatre.receiver.statistics.acceptedBytes == 2)
            #expect(theatre.receiver.statistics.payloadBytes == 0)
        }
        take(frame(.chunk, payload: [1, 2, 3]))
        #expect(theatre.receiver.heldChunks.isEmpty)
        #expect(theatre.receiver.statistics.acceptedBytes == 5)
        #expect(theatre.receiver.statistics.payloadBytes == 5)
    }

    @Test func receiverWantsHelloFirst() {
        let theatre = TransportTheatre(configuration: smallConfiguration(streams: 1))
        theatre.toReceiver(.streamOpened(theatre.stream(0), peer: NodeID(0)))
        theatre.toReceiver(.readable(theatre.stream(0), frame(.chunk, payload: [1])))
        #expect(
            theatre.takeLog().contains(
                "receiver: lost #0: malformed(\"a stream began with a frame of kind chunk\")"
            )
        )
    }

    @Test func largerWindowThanOursIsRefused() {
        let theatre = TransportTheatre(
            configuration: smallConfiguration(streams: 1),
            receiverWindow: 1_000
        )
        theatre.toSender(.started)
        theatre.toReceiver(.streamOpened(theatre.stream(0), peer: NodeID(0)))
        theatre.toReceiver(.writable(theatre.stream(0), credit: 10_000))
        theatre.toSender(.streamOpened(theatre.stream(0), peer: NodeID(1)))
        theatre.toSender(.writable(theatre.stream(0), credit: 10_000))
        theatre.toSender(.requested(.enqueue(Payload([1]))))
        theatre.carry(0)
        theatre.returnAll(0)
        let log = theatre.takeLog()
        #expect(
            log.contains("sender: failed refused(Transport.TransportError.Refusal.windowTooLarge)")
        )
        #expect(!log.contains { $0.hasPrefix("receiver: delivered") })
    }

    @Test func senderAnswers() {
        let table: [(Bytes, String)] = [
            (frame(.acknowledgement, number: 0), "sender: acknowledged 0"),
            (
                frame(.acknowledgement, number: 1),
                "sender: lost stream of slot 0: "
                    + "malformed(\"acknowledges chunk 1, which was never sent\")"
            ),
            (
                frame(.chunk, payload: [1]),
                "sender: lost stream of slot 0: malformed(\"a receiver sent a frame of kind chunk\")"
            ),
            (frame(.note, payload: [1]), "sender: noted 1 bytes"),
            (
                frame(.refusal, number: 2),
                "sender: failed refused(Transport.TransportError.Refusal.failed)"
            ),
            (frame(.refusal, number: 3), "sender: failed peerRestarted"),
            (
                frame(.refusal, number: 99),
                "sender: lost stream of slot 0: malformed(\"refusal 99\")"
            ),
            (
                frame(.welcome, number: 0),
                "sender: lost stream of slot 0: malformed(\"epoch zero\")"
            ),
        ]
        for (bytes, expected) in table {
            let theatre = TransportTheatre(configuration: smallConfiguration(streams: 1))
            theatre.toSender(.started)
            theatre.toSender(.streamOpened(theatre.stream(0), peer: NodeID(1)))
            theatre.toSender(.writable(theatre.stream(0), credit: 10_000))
            theatre.toSender(.requested(.enqueue(Payload([1, 2]))))
            _ = theatre.takeLog()
            theatre.toSender(.readable(theatre.stream(0), bytes))
            let log = theatre.takeLog()
            #expect(log.contains(expected), "\(log)")
        }
    }

    // Goal: what a stream holds is on its way soon enough: all others wait for it once the window is full.
    // Method: two streams of 1 Mbit/s and 100 ms, and what the sender writes to one of them unanswered.
    @Test(arguments: [
        // The window is full in 0.26 s: two round trips' worth and a chunk.
        (64 << 10, 25),
        // In 1.05 s, of which a quarter is longer than two round trips.
        (256 << 10, 33),
        // In 17 s: four round trips' worth.
        (4 << 20, 49),
    ])
    func streamsHoldWhatTheWindowLetsWait(window: Int, chunks: Int) {
        let configuration = smallConfiguration(streams: 2, chunk: 1_024, window: window)
        let theatre = TransportTheatre(configuration: configuration)
        theatre.toSender(.started)
        let sample = PathSample(
            rtt: .milliseconds(100),
            deliveryRate: .megabits(1),
            loss: .zero,
            inFlight: ByteCount(0)
        )
        for ordinal in 0..<2 {
            let stream = theatre.stream(ordinal)
            theatre.toSender(.streamOpened(stream, peer: NodeID(1)))
            theatre.toSender(.writable(stream, credit: 1_000_000))
            theatre.toSender(.path(stream, sample))
        }
        theatre.toSender(.fired(.watch))
        _ = theatre.takeLog()
        let payload = Payload([UInt8](repeating: 1, count: 1_024))
        while theatre.sender.room >= 1_024 { theatre.toSender(.requested(.enqueue(payload))) }
        let written = theatre.takeLog().count {
            $0.hasPrefix("sender writes chunk") && $0.hasSuffix("#0")
        }
        #expect(written == chunks)
    }

    // Goal: a fresh stream, of which nothing is known, holds no more than two round trips of what the others
    // have, however much its credit is. Method: one stream of 1 Mbit/s and 100 ms beside one without a sample,
    // a window of 4 MiB, and what is written to the fresh one; then none with a sample, on a link that is said
    // to have 4 Mbit/s and 100 ms.
    @Test(arguments: [(true, 25), (false, 49)])
    func freshStreamsHoldLittle(isOtherMeasured: Bool, chunks: Int) {
        var configuration = smallConfiguration(streams: 2, chunk: 1_024, window: 4 << 20)
        configuration.link = LinkEstimate(rate: .megabits(4), rtt: .milliseconds(100))
        let theatre = TransportTheatre(configuration: configuration)
        theatre.toSender(.started)
        for ordinal in 0..<2 {
            let stream = theatre.stream(ordinal)
            theatre.toSender(.streamOpened(stream, peer: NodeID(1)))
            theatre.toSender(.writable(stream, credit: 1_000_000))
        }
        if isOtherMeasured {
            let sample = PathSample(
                rtt: .milliseconds(100),
                deliveryRate: .megabits(1),
                loss: .zero,
                inFlight: ByteCount(0)
            )
            theatre.toSender(.path(theatre.stream(0), sample))
        }
        _ = theatre.takeLog()
        let payload = Payload([UInt8](repeating: 1, count: 1_024))
        while theatre.sender.room >= 1_024 { theatre.toSender(.requested(.enqueue(payload))) }
        let written = theatre.takeLog().count {
            $0.hasPrefix("sender writes chunk") && $0.hasSuffix("#1")
        }
        #expect(written == chunks)
    }

    // Goal: the formulas of the plans. Method: their own examples and the bounds.
    @Test func startingFormulas() {
        func link(_ megabits: Int64, _ milliseconds: Int64) -> LinkEstimate {
            LinkEstimate(rate: .megabits(megabits), rtt: .milliseconds(milliseconds))
        }
        // 200 / (0.1 · 38) = 52.6.
        #expect(link(200, 76).startingStreams == 52)
        #expect(link(10, 600).startingStreams == 16)
        #expect(link(10_000, 20).startingStreams == 256)
        // 250 kB have room for 17 initial windows of ten segments.
        #expect(link(1000, 2).startingStreams == 17)
        #expect(link(10_000, 1).startingStreams == 86)
        #expect(link(100, 0).startingStreams == 16)
        #expect(link(200, 76).chunkSize == 256 << 10)
        // Half of 10 Mbit/s · 40 ms.
        #expect(link(10, 40).chunkSize == 25_000)
        #expect(link(1, 1).chunkSize == 4 << 10)
    }

    // Goal: chunks are worth their frames where the window has room for them, and small where it has not.
    // Method: the links of study/wan-profiles, and windows from none to spare to more than enough.
    @Test func chunksFollowTheRoomOfTheWindow() {
        func size(_ flight: Int, _ streams: Int, window: Int) -> Int {
            var configuration = TransportConfiguration(
                link: LinkEstimate(rate: .megabits(100), rtt: .milliseconds(300))
            )
            configuration.window = window
            return configuration.chunkSize(of: flight, streams: streams)
        }
        let large = 64 << 20
        // 16 flights of a megabyte leave 51 MB, of which a stream gets 66 kB.
        #expect(size(1_000_000, 96, window: large) == 64 << 10)
        #expect(size(1_000_000, 128, window: large) == (large - 16_000_000) / 1_024)
        // Sixteen flights are more than the window: no more chunks than are kept.
        #expect(size(5_000_000, 192, window: large) == large / 3_584)
        #expect(size(5_000_000, 64, window: large) == 5_000_000 / 128)
        #expect(size(100_000, 64, window: 4 << 20) == 8 << 10)
        for streams in [1, 256] {
            for flight in [0, 1 << 40] {
                #expect((8 << 10...256 << 10).contains(size(flight, streams, window: large)))
            }
        }
    }

    // Goal: the checksum sees every bit and no cut. Method: known answers, random cuts, single flips.
    @Test func checksum() {
        let bytes = (0..<300).map { UInt8(truncatingIfNeeded: $0 * 7) }
        let whole = Checksum.of(bytes[...])
        for cut in 0...300 {
            var pieces = Checksum()
            pieces.update(bytes[..<cut])
            pieces.update(bytes[cut...])
            #expect(pieces.value == whole)
        }
        for position in 0..<300 {
            var copy = bytes
            copy[position] ^= 0x10
            #expect(Checksum.of(copy[...]) != whole)
        }
        #expect(Checksum.of(bytes[...], key: 1) != whole)
        #expect(Checksum.of([0]) != Checksum.of([0, 0]))
    }
}
