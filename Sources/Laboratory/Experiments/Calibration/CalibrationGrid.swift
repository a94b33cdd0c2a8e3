public import Measurements
import Scenarios

/// The profiles that a calibration measures.
///
/// Chosen so that the box around them holds the links of the scenarios under `scenarios/study` as far
/// as a machine of two cores can carry them in real time and an axis of the box describes them, with every
/// axis at both of its ends, and so that figures vary little: where a single flow meets much loss, its
/// throughput says more about the seed than about the model.
public struct CalibrationGrid: Sendable {
    public let isQuick: Bool
    public let profiles: [LinkProfile]

    /// - Parameter isQuick: A quarter of the profiles.
    public init(isQuick: Bool) {
        self.isQuick = isQuick
        let known = Scenario.SystemConfiguration.Transport.Congestion.allCases.map(\.rawValue)
        profiles = CalibrationGrid.rows
            .filter { (!isQuick || $0.isQuick) && known.contains($0.congestion) }
            .map(\.profile)
    }

    private struct Row {
        var megabits: Double
        var milliseconds: Double
        var lossPercent: Double
        var products: Double
        var flows: Int
        var congestion: String
        var jitterMilliseconds = 0.0
        var burst = 1.0
        var isQuick = false

        var profile: LinkProfile {
            let bytes = megabits * 1e6 * milliseconds / 1000 / 8
            return LinkProfile(
                bitsPerSecond: megabits * 1e6,
                roundTripSeconds: milliseconds / 1000,
                jitterSeconds: jitterMilliseconds / 1000,
                loss: lossPercent / 100,
                lossBurst: burst,
                queueBytes: (bytes * products).rounded(),
                flows: flows,
                congestion: congestion
            )
        }
    }

    private static func row(
        _ megabits: Double,
        _ milliseconds: Double,
        _ lossPercent: Double,
        _ products: Double,
        _ flows: Int,
        _ congestion: String,
        jitter: Double = 0,
        burst: Double = 1,
        quick: Bool = false
    ) -> Row {
        Row(
            megabits: megabits,
            milliseconds: milliseconds,
            lossPercent: lossPercent,
            products: products,
            flows: flows,
            congestion: congestion,
            jitterMilliseconds: jitter,
            burst: burst,
            isQuick: quick
        )
    }

    /// Mbit/s, RTT in ms, loss in %, queue in bandwidth-delay products, flows; jitter in ms.
    private static let rows = [
        row(10, 20, 0, 1, 1, "cubic", quick: true),
        row(10, 40, 0, 2.5, 4, "cubic"),
        row(50, 40, 0, 1, 1, "cubic"),
        row(100, 20, 0, 2.5, 8, "cubic"),
        row(100, 80, 0, 1, 1, "cubic", quick: true),
        row(100, 80, 0, 1, 8, "cubic"),
        row(100, 80, 0.1, 1, 1, "cubic"),
        row(100, 80, 0.1, 1, 8, "cubic", quick: true),
        row(100, 80, 0.1, 1, 25, "cubic", quick: true),
        row(100, 80, 1, 1, 32, "cubic", quick: true),
        row(200, 40, 0.1, 1, 16, "cubic"),
        row(200, 85, 0, 1, 1, "cubic"),
        row(200, 85, 0, 1, 48, "cubic"),
        row(300, 20, 0, 1, 8, "cubic"),
        row(300, 40, 0, 0.5, 16, "cubic", quick: true),
        row(300, 80, 0.01, 1, 16, "cubic"),
        row(300, 100, 0, 1, 64, "cubic"),
        row(100, 200, 0.5, 1, 32, "cubic"),
        row(50, 300, 0.1, 1, 16, "cubic"),
        row(10, 400, 1, 1, 16, "cubic"),
        row(200, 85, 0.05, 1, 16, "cubic", burst: 3),
        row(10, 20, 0, 1, 1, "bbr"),
        row(50, 40, 1, 2, 2, "bbr"),
        row(100, 80, 0, 1, 1, "bbr", quick: true),
        row(100, 80, 0, 1, 8, "bbr"),
        row(100, 80, 1, 1, 1, "bbr", quick: true),
        row(100, 80, 0.1, 1, 32, "bbr"),
        row(200, 85, 0, 1, 8, "bbr"),
        row(300, 40, 0.1, 1, 4, "bbr"),
        row(300, 100, 0, 1, 16, "bbr"),
        row(100, 200, 0.5, 1, 16, "bbr"),
        row(200, 85, 0.1, 1, 8, "bbr", burst: 3),
        // The kinds of links that the plans name, as far as a machine carries their rates.
        row(20, 200, 0.5, 1, 16, "cubic", jitter: 20, quick: true),
        row(100, 200, 0.5, 1, 64, "cubic", jitter: 20),
        row(100, 300, 1, 1, 128, "cubic", jitter: 30),
        row(10, 1200, 2, 1, 32, "cubic", jitter: 50),
        row(10, 400, 5, 1, 32, "cubic", jitter: 100, burst: 1.33),
        row(100, 200, 0.5, 1, 8, "bbr", jitter: 20),
        row(100, 300, 1, 1, 8, "bbr", jitter: 30),
        row(10, 1200, 2, 1, 4, "bbr", jitter: 50),
        row(10, 400, 5, 1, 4, "bbr", jitter: 100, burst: 1.33, quick: true),
    ]
}

extension LinkProfile {
    /// A steady transfer over this profile as a scenario file: what both environments run.
    ///
    /// - Parameters:
    ///   - warmUp: Seconds that are not measured.
    ///   - measure: Seconds that are.
    public func scenario(warmUp: Int, measure: Int) -> String {
        let nanoseconds = Int((roundTripSeconds / 2 * 1e9).rounded())
        let link =
            "rate: \(Int(bitsPerSecond)) bit/s, delay: \(nanoseconds) ns, "
            + "queue: {kind: droptail, limit: \(Int(queueBytes)) B}"
        let model = lossBurst > 1 ? "gilbert, burst: \(lossBurst)" : "bernoulli"
        let lossText = loss > 0 ? ", loss: {model: \(model), rate: \(loss * 100) %}" : ""
        let scale = Int((jitterSeconds * 1e9).rounded())
        let jitterText = scale > 0 ? ", jitter: {distribution: normal, scale: \(scale) ns}" : ""
        return """
            version: 1
            name: calibration
            seed: 1
            topology:
              regions: {sender: {nodes: 1}, receiver: {nodes: 1}}
              links:
                - {from: sender, to: receiver, \(link)\(jitterText)\(lossText)}
                - {from: receiver, to: sender, \(link)\(jitterText)}
            workload:
              kind: bulk
              from: sender
              to: receiver
              duration: {warmup: \(warmUp) s, measure: \(measure) s}
            system:
              transport: {congestion: \(congestion), streams: \(flows), window: 64 MiB}
            invariants: [transfer-identical, link-rate-respected]
            budget: {replications: {min: 2, max: 2}}

            """
    }
}
