/// The table of metrics: one definition each. A scenario may gate only on what is listed here.
///
/// A new part of the laboratory extends the table by building its own catalogue from ``standard``
/// and its definitions; names stay unique.
public struct MetricCatalogue: Sendable {
    /// In the order in which reports print them.
    public let definitions: [MetricDefinition]

    /// Traps when two definitions share a name: a figure must have one meaning.
    public init(_ definitions: [MetricDefinition]) {
        var names: Set<String> = []
        for definition in definitions {
            precondition(
                names.insert(definition.name).inserted,
                "metric \(definition.name) is defined twice"
            )
        }
        self.definitions = definitions
    }

    /// The definition of `name`, or `nil` when nothing of that name is measured.
    public subscript(name: String) -> MetricDefinition? {
        definitions.first { $0.name == name }
    }

    /// The names a target may use, in table order.
    public var gateableNames: [String] {
        definitions.filter { $0.gating != .never }.map(\.name)
    }

    /// This catalogue with more definitions behind it.
    public func extended(by more: [MetricDefinition]) -> MetricCatalogue {
        MetricCatalogue(definitions + more)
    }

    /// The metrics that the experiments of this laboratory produce.
    public static let standard = MetricCatalogue(
        transferMetrics + pathMetrics + requestMetrics + costMetrics + bootMetrics
    )

    private static let transferMetrics = [
        MetricDefinition(
            name: "goodput",
            unit: .bitsPerSecond,
            direction: .higherIsBetter,
            definition: """
                application bytes delivered and verified / time of the steady window (first to \
                last byte minus warm-up); an endless transfer's count when their chunk has come whole, \
                delivered or waiting for an older one
                """,
            boundDescription: "bottleneck rate − background load − header share",
            boundSide: .upper,
            requiresBound: true,
            isNetworkDependent: true
        ),
        MetricDefinition(
            name: "utilisation",
            unit: .percent,
            direction: .higherIsBetter,
            definition: """
                goodput / (rate of the bottleneck left by other traffic: by the background share and \
                by what other flows took), header share included in the rate; only for runs with at \
                least 50 bandwidth-delay products on the wire
                """,
            boundDescription: "100 %",
            boundSide: .upper,
            requiresBound: true,
            possibleRange: 0...100.000_000_1,
            isNetworkDependent: true
        ),
        MetricDefinition(
            name: "transfer-time",
            unit: .seconds,
            direction: .lowerIsBetter,
            definition: "first byte asked to last byte verified",
            boundDescription: "at least RTT/2 + bytes on the wire / rate",
            boundSide: .lower,
            requiresBound: true,
            isNetworkDependent: true
        ),
        MetricDefinition(
            name: "migration-time",
            unit: .seconds,
            direction: .lowerIsBetter,
            definition: "first byte asked to last byte verified, of one migration",
            boundDescription: "at least RTT/2 + bytes on the wire / rate",
            boundSide: .lower,
            requiresBound: true,
            isNetworkDependent: true
        ),
        MetricDefinition(
            name: "downtime",
            unit: .milliseconds,
            direction: .lowerIsBetter,
            definition: "source paused to destination running and verified",
            boundDescription: "at least RTT/2",
            boundSide: .lower,
            requiresBound: true,
            isNetworkDependent: true
        ),
        MetricDefinition(
            name: "ratio-dirty",
            unit: .factor,
            direction: .higherIsBetter,
            definition: """
                dirty state bytes represented / bytes on the wire, headers and acknowledgements \
                included; only payloads that decoded bit for bit count
                """,
            boundDescription: "decoded bit for bit; dirty state bytes / header bytes of the frames",
            boundSide: .upper,
            isNetworkDependent: false
        ),
        MetricDefinition(
            name: "ratio-full",
            unit: .factor,
            direction: .higherIsBetter,
            definition: """
                full image bytes / bytes on the wire, headers and acknowledgements included; \
                printed beside ratio-dirty
                """,
            boundDescription: "decoded bit for bit",
            boundSide: nil,
            isNetworkDependent: false,
            gating: .onlyBeside("ratio-dirty")
        ),
    ]

    private static let requestMetrics = [
        MetricDefinition(
            name: "request-latency",
            unit: .milliseconds,
            direction: .lowerIsBetter,
            definition: """
                intended send time to answer (open loop); time-outs count as errors and at the \
                time-out value
                """,
            boundDescription: "at least the light time of the path the protocol needs",
            boundSide: .lower,
            requiresBound: true,
            isNetworkDependent: true
        ),
        MetricDefinition(
            name: "throughput",
            unit: .requestsPerSecond,
            direction: .higherIsBetter,
            definition: "requests answered correctly in time / measured window",
            boundDescription: "offered load",
            boundSide: .upper,
            requiresBound: true,
            isNetworkDependent: true
        ),
        MetricDefinition(
            name: "error-rate",
            unit: .percent,
            direction: .lowerIsBetter,
            definition: "requests failed or timed out / requests sent",
            boundDescription: "100 %",
            boundSide: .upper,
            possibleRange: 0...100,
            isNetworkDependent: true
        ),
        MetricDefinition(
            name: "commit-latency",
            unit: .milliseconds,
            direction: .lowerIsBetter,
            definition: """
                sending of an update to the answer that it is committed, as its client sees it; \
                updates without an answer count in error-rate
                """,
            boundDescription: "at least the round trip to the nearest majority of a group",
            boundSide: .lower,
            requiresBound: true,
            isNetworkDependent: true
        ),
        MetricDefinition(
            name: "availability",
            unit: .percent,
            direction: .higherIsBetter,
            definition: "requests answered in time / requests that became due",
            boundDescription: "100 %",
            boundSide: .upper,
            possibleRange: 0...100,
            isNetworkDependent: true
        ),
        MetricDefinition(
            name: "group-availability",
            unit: .percent,
            direction: .higherIsBetter,
            definition: "availability of each group by itself, where there are several",
            boundDescription: "100 %",
            boundSide: .upper,
            possibleRange: 0...100,
            isNetworkDependent: true
        ),
        MetricDefinition(
            name: "mttr",
            unit: .seconds,
            direction: .lowerIsBetter,
            definition: """
                fault fired, or was repaired, to service answering again for good, over the \
                changes that broke the service of a group
                """,
            boundDescription: "a fault ends after it began",
            boundSide: .lower,
            requiresBound: true,
            isNetworkDependent: true
        ),
    ]

    private static let pathMetrics = [
        MetricDefinition(
            name: "stream-throughput",
            unit: .bitsPerSecond,
            direction: .higherIsBetter,
            definition: """
                bytes that the receiver's streams brought, headers of chunks and repeated chunks \
                included / time of the steady window
                """,
            boundDescription: "bottleneck rate − background load − header share",
            boundSide: .upper,
            requiresBound: true,
            isNetworkDependent: true
        ),
        MetricDefinition(
            name: "fairness-harm",
            unit: .percent,
            direction: .lowerIsBetter,
            definition: """
                loss of mean goodput of the competing ordinary flows against their goodput beside \
                one flow of their own kind in the transfer's place, same seed and same window; of \
                several kinds the one that loses most; negative where they gain
                """,
            boundDescription: "100 %: no flow loses more than all that it had",
            boundSide: .upper,
            requiresBound: true,
            possibleRange: -Double.greatestFiniteMagnitude...100.000_000_1,
            environments: [.simulated, .sockets],
            isNetworkDependent: true
        ),
        MetricDefinition(
            name: "path-rtt",
            unit: .milliseconds,
            direction: .lowerIsBetter,
            definition: """
                smoothed round-trip time of the streams' TCP in the steady window, sampled about \
                once a round trip while data are acknowledged
                """,
            boundDescription: "at least the round-trip time of the links",
            boundSide: .lower,
            isNetworkDependent: true
        ),
        MetricDefinition(
            name: "pause-share",
            unit: .percent,
            direction: .lowerIsBetter,
            definition: """
                time for which the lossless queue at a link's end kept the link's sender stopped \
                (priority flow control) / time of the run
                """,
            boundDescription: "100 %",
            boundSide: .upper,
            requiresBound: true,
            possibleRange: 0...100,
            environments: [.simulated],
            isNetworkDependent: true
        ),
        MetricDefinition(
            name: "mode-changes",
            unit: .count,
            direction: .lowerIsBetter,
            definition: """
                how often the transport took the path for one of another kind (data centre, \
                regional, internet) and followed it, in the whole run
                """,
            boundDescription: "none",
            boundSide: nil,
            isNetworkDependent: true
        ),
        MetricDefinition(
            name: "emulator-delay-error",
            unit: .milliseconds,
            direction: .lowerIsBetter,
            definition: """
                how long after its due time a packet left an emulated link, the value that 99 % of \
                the packets did not exceed, without those of links whose figures are withheld
                """,
            boundDescription: "1 ms, above which the links were not the scenario's",
            boundSide: .upper,
            requiresBound: true,
            environments: [.sockets],
            isNetworkDependent: false
        ),
        MetricDefinition(
            name: "emulator-loss",
            unit: .percent,
            direction: .lowerIsBetter,
            definition: """
                packets that emulated links lost because the emulator was too slow / packets that \
                nodes sent
                """,
            boundDescription: "0.01 %, above which the links were not the scenario's",
            boundSide: .upper,
            requiresBound: true,
            possibleRange: 0...100,
            environments: [.sockets],
            isNetworkDependent: false
        ),
    ]

    private static let costMetrics = [
        MetricDefinition(
            name: "encode-rate",
            unit: .megabytesPerSecond,
            direction: .higherIsBetter,
            definition: "state bytes encoded / CPU seconds of one core, on the named profile",
            boundDescription: "memory bandwidth",
            boundSide: .upper,
            isNetworkDependent: false
        ),
        MetricDefinition(
            name: "decode-rate",
            unit: .megabytesPerSecond,
            direction: .higherIsBetter,
            definition: "state bytes decoded / CPU seconds of one core, on the named profile",
            boundDescription: "memory bandwidth",
            boundSide: .upper,
            isNetworkDependent: false
        ),
        MetricDefinition(
            name: "cpu-per-gb",
            unit: .secondsPerGigabyte,
            direction: .lowerIsBetter,
            definition: """
                processor time, user and system, of the processes of both ends (of one end where a \
                region is named) in the measured time / GB (10⁹ bytes) of application bytes \
                delivered and verified then; the state bytes of migrations
                """,
            boundDescription: "all cores of the machine for all of the time",
            boundSide: .upper,
            requiresBound: true,
            environments: [.sockets, .rdma],
            isNetworkDependent: false
        ),
        MetricDefinition(
            name: "processor-wait",
            unit: .percent,
            direction: .lowerIsBetter,
            definition:
                "the part of processor-need in which no processor was free; of the same end",
            boundDescription: "all of the time",
            boundSide: nil,
            possibleRange: 0...100,
            environments: [.sockets, .rdma],
            isNetworkDependent: false
        ),
        MetricDefinition(
            name: "processor-need",
            unit: .percent,
            direction: .lowerIsBetter,
            definition: """
                time in which the thread that takes a node's steps ran or could have run / measured time; \
                of the end where it is larger
                """,
            boundDescription: "all of the time",
            boundSide: nil,
            possibleRange: 0...100,
            environments: [.sockets, .rdma],
            isNetworkDependent: false
        ),
        MetricDefinition(
            name: "peak-memory",
            unit: .megabytes,
            direction: .lowerIsBetter,
            definition: "peak resident memory of the process that ran the replication",
            boundDescription: "more than zero",
            boundSide: .lower,
            possibleRange: 0.001...Double.greatestFiniteMagnitude,
            isNetworkDependent: false,
            gating: .never
        ),
    ]
}
