import LinkModel
public import Machines
public import Measurements
import Scenarios
import Statistics
import Transport
public import Units

/// The workload kind `bulk`: one node sends to another without end, and the steady part is measured.
public struct BulkExperiment: Experiment {
    private let setting: ReplicationSetting
    private let workload: Scenario.BulkWorkload
    private let content: BulkContent
    private let configuration: TransportConfiguration

    public init(_ setting: ReplicationSetting) {
        guard case .bulk(let workload) = setting.scenario.workload else {
            preconditionFailure("a bulk experiment of kind \(setting.scenario.workload.kind)")
        }
        self.setting = setting
        self.workload = workload
        content = BulkContent(seed: setting.seed)
        configuration = TransportConfiguration(
            setting.variant.system.transport,
            link: setting.scenario.topology.estimate(from: workload.from, to: workload.to)
        )
    }

    public func makeMachine(_ birth: Birth<BulkNode>) -> BulkNode {
        let topology = setting.scenario.topology
        let sends = birth.node == topology.nodes(of: workload.from)[0]
        let receiver = topology.nodes(of: workload.to).first { $0 != birth.node }
        return BulkNode(
            birth,
            sendingTo: sends ? receiver : nil,
            configuration: configuration,
            content: content
        )
    }

    public func makeObserver() -> BulkObserver {
        BulkObserver(
            workload: workload,
            link: setting.scenario.topology.bottleneck(from: workload.from, to: workload.to),
            roundTrip: setting.scenario.topology.roundTrip(from: workload.from, to: workload.to),
            streams: configuration.streams,
            window: configuration.window
        )
    }
}

/// Turns the chunks that a bulk receiver reports into goodput and utilisation of the steady part.
public struct BulkObserver: ExperimentObserver {
    public typealias Program = BulkNode

    let workload: Scenario.BulkWorkload
    let link: Scenario.PathProperties
    let roundTrip: Interval
    let streams: Int
    /// Payload bytes that the transport has under way at the most: in flight, or held by the receiver
    /// until what is missing before them has come.
    let window: Int

    /// The run is cut into this many parts; the warm-up ends at the border of one.
    private static let parts = 200
    private var received = [Int](repeating: 0, count: BulkObserver.parts)
    private var total = 0
    private var chunks: UInt64 = 0
    private var streamsLost = 0
    /// What the transport chose on its way, oldest first.
    private var tunings: [String] = []
    /// Bytes that streams brought, by part.
    private var arrived = [Int](repeating: 0, count: BulkObserver.parts)
    /// Round-trip times in milliseconds, by part.
    private var roundTrips = [LogHistogram](repeating: LogHistogram(), count: BulkObserver.parts)
    private var violations: [Violation] = []
    private var failure: TransportError?

    init(
        workload: Scenario.BulkWorkload,
        link: Scenario.PathProperties,
        roundTrip: Interval,
        streams: Int,
        window: Int
    ) {
        self.workload = workload
        self.link = link
        self.roundTrip = roundTrip
        self.streams = streams
        self.window = window
    }

    private var horizon: Interval { workload.duration.horizon }

    /// A steady run lasts until its time is over, or nothing more can come.
    public var isFinished: Bool { failure != nil }

    public mutating func observe(_ event: BulkNode.Event, on node: NodeID, at time: Instant) {
        switch event {
        case .delivered(let chunk, let bytes, let isIdentical):
            guard isIdentical else {
                let message = "chunk \(chunk) arrived with other bytes than were sent"
                violations.append(Violation(time: time, message: message))
                return
            }
            received[part(of: time)] += bytes
            total += bytes
            chunks += 1
        case .streamLost:
            streamsLost += 1
        case .tuned(let streams, let congestion):
            tunings.append("\(streams) \(congestion.rawValue) at \(time)")
        case .arrived(let bytes):
            arrived[part(of: time)] += bytes
        case .roundTrip(let interval):
            roundTrips[part(of: time)].record(interval.milliseconds)
        case .failed(let error):
            failure = failure ?? error
        }
    }

    private func part(of time: Instant) -> Int {
        let part = time.nanoseconds * Int64(BulkObserver.parts) / max(1, horizon.nanoseconds)
        return min(BulkObserver.parts - 1, Int(part))
    }

    public func measure(_ ending: ReplicationEnding, into record: inout RunRecord) {
        record.invariants.append(
            InvariantOutcome(
                name: Scenario.Invariant.transferIdentical.rawValue,
                checked: chunks + UInt64(violations.count),
                violations: violations
            )
        )
        record.facts += [
            Fact("streams", "\(streams)"),
            Fact("tuned", BulkObserver.summary(of: tunings)),
            Fact("streams lost", "\(streamsLost)"),
            Fact("chunks", "\(chunks) of \(total) B in all, each compared"),
        ]
        if let failure {
            record.outcome = .failed(message: "the transfer failed: \(failure)")
            return
        }
        // The end of a steady run is its time limit; nothing was cut short.
        if ending.time >= .zero + horizon { record.outcome = .completed }
        record.series.append(goodputSeries)
        guard record.outcome == .completed, let cut = warmUp else {
            record.facts.append(
                Fact("warm-up", "refused: the best cut would drop more than half of the run")
            )
            return
        }
        measureSteadyPart(from: cut, ending, into: &record)
    }

    /// The first and the last steps.
    private static func summary(of tunings: [String]) -> String {
        guard tunings.count > 8 else {
            return tunings.isEmpty ? "not at all" : tunings.joined(separator: ", ")
        }
        let (first, last) = (tunings.prefix(4), tunings.suffix(4))
        return (first + ["\(tunings.count - 8) more"] + last).joined(separator: ", ")
    }

    private var partWidth: Interval { horizon / Int64(BulkObserver.parts) }

    private var goodputSeries: Series {
        Series(
            name: "goodput",
            unit: "bit/s",
            labels: [],
            kind: .rate,
            start: .zero,
            width: partWidth,
            values: received.map { Double($0) * 8 / partWidth.seconds }
        )
    }

    /// The parts that belong to the warm-up; `nil` when no steady part was found.
    private var warmUp: Int? {
        switch workload.duration.warmUp {
        case .fixed(let interval):
            return min(
                BulkObserver.parts - 1,
                Int((interval.nanoseconds + partWidth.nanoseconds - 1) / partWidth.nanoseconds)
            )
        case .automatic:
            switch WarmUp.cut(received.map(Double.init)) {
            case .after(let parts): return parts
            case .refused: return nil
            }
        }
    }

    private func measureSteadyPart(
        from cut: Int,
        _ ending: ReplicationEnding,
        into record: inout RunRecord
    ) {
        let bytes = received[cut...].reduce(0, +)
        let seconds = partWidth.seconds * Double(BulkObserver.parts - cut)
        let goodput = Double(bytes) * 8 / seconds
        let start = Instant.zero + partWidth * Int64(cut)
        let bits = ending.link(from: workload.from, to: workload.to)?.parameters
            .freeBits(from: start, to: start + Interval(seconds: seconds))
        let free =
            bits.map { $0 / seconds }
            ?? Double(link.rate.bitsPerSecond) * (1 - link.background.value)
        // What was under way when the measured part began may be delivered inside it.
        let limit = free * (1448.0 / 1514) + Double(window) * 8 / seconds
        record.metrics.append(
            MetricValue(
                "goodput",
                goodput,
                bound: ending.bound(
                    .upper,
                    limit,
                    derivation:
                        "free rate × 1448/1514, and what was under way when the window began"
                )
            )
        )
        record.markers.append(
            Marker(time: .zero + partWidth * Int64(cut), kind: "warmup.end")
        )
        record.facts.append(
            Fact("warm-up", "\(partWidth * Int64(cut)) of \(horizon) cut")
        )
        measurePath(from: cut, ending, limit: limit, into: &record)
        // Without the scenario's link there is nothing to make use of.
        guard ending.isShaped else { return }
        // Fewer products say more about slow start than about the steady state.
        let products = Double(bytes) / (free / 8 * roundTrip.seconds)
        record.facts.append(
            Fact("bandwidth-delay products", "\((products * 10).rounded() / 10) in the window")
        )
        guard products >= 50 else { return }
        // Where the rate varies, the window may begin with what a better time has sent.
        let carried = link.source == .fixed ? 0 : Double(window) * 8 / seconds / free
        record.metrics.append(
            MetricValue(
                "utilisation",
                100 * goodput / free,
                bound: PhysicalBound(
                    .upper,
                    100 * (1 + carried),
                    derivation: carried == 0
                        ? "the free rate of the link"
                        : "the free rate's integral, and what was under way when the window began"
                )
            )
        )
    }
}

extension BulkObserver {
    /// What the streams did, apart from the order in which the transport delivers.
    private func measurePath(
        from cut: Int,
        _ ending: ReplicationEnding,
        limit: Double,
        into record: inout RunRecord
    ) {
        let bytes = arrived[cut...].reduce(0, +)
        let seconds = partWidth.seconds * Double(BulkObserver.parts - cut)
        record.metrics.append(
            MetricValue(
                "stream-throughput",
                Double(bytes) * 8 / seconds,
                bound: ending.bound(
                    .upper,
                    limit,
                    derivation:
                        "free rate × 1448/1514, and what was under way when the window began"
                )
            )
        )
        let all = roundTrips[cut...].reduce(into: LogHistogram()) { $0.merge($1) }
        guard all.count > 0 else { return }
        record.metrics.append(
            MetricValue(
                "path-rtt",
                distribution: all,
                bound: ending.bound(
                    .lower,
                    roundTrip.milliseconds,
                    derivation: "the propagation delay of both directions"
                )
            )
        )
    }
}

extension TransportConfiguration {
    /// A scenario's `transport` section for a path.
    init(_ transport: Scenario.SystemConfiguration.Transport, link: LinkEstimate) {
        let streams: StreamCount =
            switch transport.streams {
            case .automatic: .automatic
            case .fixed(let count): .fixed(count)
            }
        self.init(
            link: link,
            streams: streams,
            congestionControl: CongestionControl(transport.congestion)
        )
        if let chunk = transport.chunk { chunkSize = Int(chunk.bytes) }
        window = Int(transport.window.bytes)
        sendBuffer = window
    }
}

extension CongestionControl {
    init(_ name: Scenario.SystemConfiguration.Transport.Congestion) {
        switch name {
        case .cubic: self = .cubic
        case .newreno: self = .newReno
        case .bbr: self = .bbr
        }
    }
}

extension Scenario.Topology {
    /// The path that data from one region to another takes.
    func bottleneck(from: RegionID, to: RegionID) -> Scenario.PathProperties {
        link(from: from, to: to)?.path ?? regions[Int(from.rawValue)].local
    }

    /// What a transport is told about a path before it starts.
    func estimate(from: RegionID, to: RegionID) -> LinkEstimate {
        let path = bottleneck(from: from, to: to)
        let free = Double(path.rate.bitsPerSecond) * (1 - path.background.value)
        return LinkEstimate(
            rate: BitRate(bitsPerSecond: max(1, Int64(free))),
            rtt: roundTrip(from: from, to: to)
        )
    }
}
