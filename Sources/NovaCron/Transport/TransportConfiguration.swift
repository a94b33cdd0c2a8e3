public import Machines
public import Units

/// What is known about the path before a transfer starts: from the configuration, or from samples
/// of earlier streams.
public struct LinkEstimate: Hashable, Sendable {
    /// The rate of the path's narrowest link.
    public var rate: BitRate
    /// The round-trip time without queueing.
    public var rtt: Interval

    public init(rate: BitRate, rtt: Interval) {
        self.rate = rate
        self.rtt = rtt
    }

    public init(_ sample: PathSample) {
        self.init(rate: sample.deliveryRate, rtt: sample.rtt)
    }

    /// Bytes in flight that fill the path.
    public var bandwidthDelayProduct: ByteCount { rate.bytes(in: rtt) }

    /// The plans' starting formula: `clamp(bandwidth in Mbit/s / (0.1 · latency in ms), 16…256)`,
    /// where latency is one way, half of `rtt`. But no more streams than find room for an initial window
    /// each on the path (ten segments, RFC 6928), unless that were fewer than 16: the formula grows as
    /// round trips get short, and what a path holds shrinks.
    public var startingStreams: Int {
        let latency = rtt.milliseconds / 2
        guard latency > 0 else { return 16 }
        let count = Double(rate.bitsPerSecond) / 1e6 / (0.1 * latency)
        let room = Double(bandwidthDelayProduct.bytes) / Double(LinkEstimate.initialWindow)
        return Int(min(256, max(16, min(count, room))).rounded(.down))
    }

    private static let initialWindow = 10 * 1448

    /// The plans' chunk size: `min(256 KiB, ½ · RTT · bandwidth)`, at least 4 KiB.
    public var chunkSize: Int {
        let half = Int(bandwidthDelayProduct.bytes / 2)
        return min(256 << 10, max(4 << 10, half))
    }
}

/// How a transfer is carried.
public struct TransportConfiguration: Hashable, Sendable {
    /// Parallel streams, 1...256.
    public var streams: Int
    /// Payload bytes in one chunk, 1...`FrameHeader.payloadLimit`. A producer should cut its data so;
    /// larger chunks up to `chunkLimit` are carried all the same.
    public var chunkSize: Int
    /// Payload bytes between what the receiving application has consumed and what may be sent:
    /// bounds the receiver's memory together with one partial chunk a stream.
    public var window: Int
    /// Payload bytes that the sender holds, queued or unacknowledged.
    public var sendBuffer: Int
    /// Each stream's congestion control and pacing.
    public var congestionControl: CongestionControl
    public var pacing: BitRate?
    /// First pause before a lost stream is opened again; doubles with each attempt.
    public var retryPause: Interval
    /// Longest pause between attempts.
    public var retryPauseLimit: Interval
    /// Attempts without progress after which a stream is given up.
    public var retryLimit: Int
    /// How long a transfer may be without any stream before it fails.
    public var stallLimit: Interval

    /// How long a transfer may be without an acknowledgement that is due before it fails.
    public var progressLimit: Interval
    /// How long a stream may be silent while others are not, before it is asked whether it lives;
    /// twice as long, or eight round trips, and it is replaced.
    public var silenceLimit: Interval
    /// A stream that was silent for so long is asked whether it lives, also when nothing is due.
    public var keepAlive: Interval
    /// How long a receiver waits for the first frame of a stream.
    public var greetingLimit: Interval
    /// The transfer fails when it is not over so long after its start; `nil` for no limit.
    public var deadline: Interval?
    /// What was known of the path when the transfer was configured.
    public var link: LinkEstimate
    /// The bounds of online tuning; `nil` keeps `streams` and `congestionControl` as they are.
    public var tuning: StreamTuner.Rules?
    /// Whether streams are filled, and tuned, by what the medium measures of them; otherwise by what `link` says.
    public var followsPath: Bool
    /// Whether `BulkSender.chunkSize` follows what the streams carry; with `tuning` only.
    public var tunesChunks: Bool
    /// Whether chunks of late streams are sent by others, too.
    public var stealsLateChunks: Bool
    /// Whether the kind of path decides how the transfer goes about it; `nil` for no such habits.
    public var mode: PathModeChoice?

    /// Streams in a transfer at most.
    public static let streamLimit = 256

    /// How many streams a transfer opens.
    public enum StreamCount: Hashable, Sendable {
        case fixed(Int)
        /// By `LinkEstimate.startingStreams`, then tuned by measurement.
        case automatic
    }

    /// A configuration for a path. The window is four bandwidth-delay products (the path, an equally
    /// large queue, and as much again while a lost segment is repaired) and two chunks a stream,
    /// within 4...256 MiB.
    public init(
        link: LinkEstimate,
        streams: StreamCount = .automatic,
        congestionControl: CongestionControl = .cubic
    ) {
        let count =
            switch streams {
            case .fixed(let count): min(TransportConfiguration.streamLimit, max(1, count))
            case .automatic:
                // The formula is one for controls that take every loss for congestion.
                congestionControl == .bbr ? StreamTuner.Rules().fewStreams : link.startingStreams
            }
        let flight = Int(link.bandwidthDelayProduct.bytes)
        self.streams = count
        chunkSize = link.chunkSize
        window = min(256 << 20, max(4 << 20, 4 * flight + 2 * count * link.chunkSize))
        sendBuffer = window
        self.congestionControl = congestionControl
        pacing = nil
        retryPause = .milliseconds(100)
        retryPauseLimit = .seconds(5)
        retryLimit = 16
        stallLimit = .seconds(60)
        progressLimit = .seconds(120)
        silenceLimit = .seconds(5)
        keepAlive = .seconds(30)
        greetingLimit = .seconds(10)
        deadline = nil
        self.link = link
        switch streams {
        case .fixed: tuning = nil
        case .automatic: tuning = StreamTuner.Rules()
        }
        followsPath = true
        tunesChunks = tuning != nil
        stealsLateChunks = true
        mode = nil
    }

    /// Payload bytes of the first chunks: where it may follow, half of one stream's share of the
    /// path.
    var startingChunkSize: Int {
        guard tuning != nil, tunesChunks else { return chunkSize }
        let flight = Int(link.bandwidthDelayProduct.bytes)
        return chunkSize(of: flight, streams: streams)
    }

    /// Half of what one stream has in flight, so that a lost segment holds up little. No less than is
    /// worth a frame, and enough that sixteen times what all streams have in flight, or the
    /// window, are not more chunks than are kept. What the window holds beyond those sixteen times may wait on
    /// slow streams: an eighth of it is divided among them, up to `chunkWorthItsFrame`.
    package func chunkSize(of flight: Int, streams: Int) -> Int {
        let kept = Int(SequenceWindow<OutgoingChunk>.limit) * 7 / 8
        let flights = 16 * flight
        let half = flight / max(1, streams) / 2
        let spare = max(0, window - flights) / (8 * max(1, streams))
        let least = max(8 << 10, min(window, flights) / kept)
        let worthy = min(TransportConfiguration.chunkWorthItsFrame, spare)
        return min(chunkSize, max(least, half, worthy))
    }

    /// A chunk costs its header, and its acknowledgement an acknowledgement of TCP's on the way that is busy, in a packet
    /// of its own where a stream is slow: 40 + 66 bytes, 1.3 % of 8 KiB and 0.2 % of this.
    private static let chunkWorthItsFrame = 64 << 10

    /// The longest chunk. Half the window: the receiver may keep a quarter of it unannounced, and a
    /// chunk that needs more would wait for ever.
    public var chunkLimit: Int {
        min(FrameHeader.payloadLimit, window / 2 - FrameHeader.chunkCharge)
    }

    func streamOptions(_ congestionControl: CongestionControl) -> StreamOptions {
        StreamOptions(
            congestionControl: congestionControl,
            pacing: pacing,
            priority: 1,
            // The session's window bounds memory; a stream's credit only must not be the bottleneck.
            receiveCredit: max(1 << 20, min(window, 64 << 20))
        )
    }

    func retryPause(afterAttempts attempts: Int) -> Interval {
        let doubled = retryPause * (1 << Int64(min(attempts, 20)))
        return min(doubled, retryPauseLimit)
    }
}
