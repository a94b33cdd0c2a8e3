public import Effects
public import Initialization
import Logging
import Synchronization
public import Units

/// `environment.network`: measures the paths to other nodes and tells the kind of network, once
/// within two seconds at boot and then every period.
///
/// It measures the probes of the settings and of the nodes that discovery knows, at most sixteen.
/// With nobody to measure the mode is hybrid: each link is chosen for when there is one.
public final class NetworkEnvironmentComponent: Component {
    public let specification = ComponentSpecification(
        name: "environment.network",
        phase: .core,
        dependencies: ["configuration"],
        optionalDependencies: ["discovery", "logger"],
        criticality: .warn,
        timeout: .seconds(5),
        holdsReadiness: false
    )
    private let state = Mutex(State())

    private struct State {
        var environment: NetworkEnvironment?
        var hasRDMA = false
        /// Sorted by endpoint.
        var links: [MeasuredLink] = []
        /// Of links that are not measured any more.
        var pastChanges = 0
        var pastFlaps = 0
    }

    private struct MeasuredLink {
        var endpoint: SocketEndpoint
        var detector: ModeDetector
    }

    /// More peers are not measured: a node's first paths tell its environment.
    public static let peerLimit = 16
    /// Of a round of measurements, all peers at the same time.
    public static let roundLimit = Interval.seconds(2)
    /// 160 packets of 1,200 bytes: with 0.1 % of loss three are lost once in 1,700 rounds, with 5 %
    /// fewer than three once in 75. A satellite's round trip of 1.2 s fits in.
    public static let plan = ProbePlan(
        trains: 16,
        packetsPerTrain: 10,
        packetBytes: 1_200,
        spacing: .milliseconds(20),
        timeout: .milliseconds(1_500)
    )

    public init() {}

    public func initialize(_ context: ComponentContext) async throws {
        let settings = try context.require(NodeKeys.configuration).environment
        if let mode = settings.mode {
            let assessment = NetworkAssessment(mode: mode, reason: "set by the configuration")
            return context.provide(NodeKeys.networkEnvironment, NetworkEnvironment(assessment))
        }
        // A machine that cannot tell its devices has none that are known.
        let devices = try? await context.effects.machine.resources().rdmaDevices
        state.withLock { $0.hasRDMA = !(devices ?? []).isEmpty }
        let environment = NetworkEnvironment(try await measured(context))
        state.withLock { $0.environment = environment }
        tell(environment.assessment, context)
        context.provide(NodeKeys.networkEnvironment, environment)
    }

    public func serve(_ context: ComponentContext) async {
        guard let settings = try? context.require(NodeKeys.configuration).environment,
            let environment = state.withLock({ $0.environment })
        else { return }
        while !Task.isCancelled {
            do {
                try await context.effects.clock.sleep(for: settings.period)
                let before = environment.assessment
                let now = try await measured(context)
                environment.replace(now)
                if now.mode != before.mode { tell(now, context) }
            } catch {
                return
            }
        }
    }

    public func stop(_ context: ComponentContext) async {
        state.withLock { $0 = State() }
    }

    private func tell(_ assessment: NetworkAssessment, _ context: ComponentContext) {
        let logger = try? context.find(NodeKeys.logger)?.component(context.name)
        logger?.info(
            "the network is \(assessment.mode.rawValue): \(assessment.reason)",
            metadata: [
                "changes": "\(assessment.changes)", "flaps": "\(assessment.flaps)",
                "links": .array(
                    assessment.links.map { .string("\($0.endpoint): \($0.reason)") }
                ),
            ]
        )
    }

    /// Those of the settings come first.
    private func peers(_ context: ComponentContext) throws -> [SocketEndpoint] {
        let configuration = try context.require(NodeKeys.configuration)
        let known = try context.find(NodeKeys.directory)?.nodes ?? []
        let others = known.filter { $0.name != configuration.name }.map(\.probes)
        var chosen: [SocketEndpoint] = []
        for endpoint in configuration.environment.probes + others
        where !chosen.contains(endpoint) && endpoint != configuration.environment.answersAt {
            guard chosen.count < NetworkEnvironmentComponent.peerLimit else { break }
            chosen.append(endpoint)
        }
        return chosen.sorted { $0.description < $1.description }
    }

    /// One round: measures all peers, lets their detectors judge.
    private func measured(_ context: ComponentContext) async throws -> NetworkAssessment {
        let dwell = try context.require(NodeKeys.configuration).environment.dwell
        let peers = try peers(context)
        let measurements = await NetworkEnvironmentComponent.probe(peers, context.effects)
        try Task.checkCancellation()
        let now = context.effects.clock.now
        return state.withLock { state in
            for link in state.links where !peers.contains(link.endpoint) {
                state.pastChanges += link.detector.changes
                state.pastFlaps += link.detector.flaps
            }
            state.links = zip(peers, measurements).map { peer, measurement in
                var link =
                    state.links.first { $0.endpoint == peer }
                    ?? MeasuredLink(
                        endpoint: peer,
                        detector: ModeDetector(dwell: dwell, hasRDMA: state.hasRDMA)
                    )
                if let measurement { link.detector.observe(measurement, at: now) }
                return link
            }
            return NetworkAssessment(
                links: state.links.map { link in
                    NetworkAssessment.Link(
                        endpoint: link.endpoint,
                        mode: link.detector.mode,
                        reason: link.detector.reason,
                        figures: link.detector.figures
                    )
                },
                changes: state.links.reduce(state.pastChanges) { $0 + $1.detector.changes },
                flaps: state.links.reduce(state.pastFlaps) { $0 + $1.detector.flaps }
            )
        }
    }

    /// In the order of `peers`; `nil` for those from which nothing came in time.
    private static func probe(
        _ peers: [SocketEndpoint],
        _ effects: NodeEffects
    ) async -> [PathMeasurement?] {
        guard !peers.isEmpty else { return [] }
        return await withTaskGroup(of: (index: Int, measurement: PathMeasurement?)?.self) { group in
            for (index, peer) in peers.enumerated() {
                group.addTask { (index, try? await effects.network.probe(peer, plan)) }
            }
            group.addTask {
                try? await effects.clock.sleep(for: roundLimit)
                return nil
            }
            var measurements: [PathMeasurement?] = peers.map { _ in nil }
            var missing = peers.count
            for await report in group {
                guard let report else {
                    group.cancelAll()
                    continue
                }
                measurements[report.index] = report.measurement
                missing -= 1
                if missing == 0 { group.cancelAll() }
            }
            return measurements
        }
    }
}
