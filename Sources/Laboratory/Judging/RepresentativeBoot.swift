import Measurements
import Units

/// A boot that is shown for all boots of a variant, and how it was chosen.
///
/// The replication is the median one by boot time; of an even number the lower of the two in the
/// middle. Of a run of several nodes the median and the slowest node stand for the others. Among
/// runs that did not complete the one of the lowest seed is taken, and only when none completed.
public struct RepresentativeBoot: Equatable, Sendable {
    public let timeline: BootTimeline
    public let role: Role
    /// The replications that the boot was chosen from; zero when none completed.
    public let replications: Int
    /// The nodes of the run whose boot times were compared.
    public let nodes: Int
    /// The sum of component times and its ratio to the boot time: as the run measured its speed-up
    /// where it is of this one boot, else from the spans.
    public let componentSeconds: Double
    public let speedup: Double?
    /// What no boot of this graph can be faster than, in seconds, as the run states it for its
    /// boot time; `nil` when it states none or there are several nodes.
    public let criticalSeconds: Double?
    /// What no speed-up of this graph can exceed, as the run states it; `nil` like
    /// ``criticalSeconds``.
    public let speedupBound: Double?

    public enum Role: String, Equatable, Sendable {
        /// The run has one node.
        case only
        /// The node whose boot time is the median of all nodes; of an even number the lower one.
        case median
        case slowest
    }

    /// The boots to show of every variant that left spans, in the campaign's order.
    public static func all(of campaign: Campaign) -> [RepresentativeBoot] {
        campaign.variants.flatMap { chosen(from: campaign.replications(of: $0)) }
    }

    /// The boots of one variant; at most two, none without spans.
    private static func chosen(from runs: [RunRecord]) -> [RepresentativeBoot] {
        let booted = runs.filter { !$0.spans.isEmpty }
        let completed = booted.filter { $0.outcome == .completed }
        guard let run = median(of: completed) ?? booted.first else { return [] }
        return chosen(from: run, replications: completed.count)
    }

    private static func median(of runs: [RunRecord]) -> RunRecord? {
        guard !runs.isEmpty else { return nil }
        let ranked = runs.map { (run: $0, seconds: seconds(of: $0)) }.sorted {
            ($0.seconds, $0.run.key.seed) < ($1.seconds, $1.run.key.seed)
        }
        return ranked[(ranked.count - 1) / 2].run
    }

    /// The run's boot time; of several nodes the time until the last was READY. A boot that never
    /// became READY ranks behind all others.
    private static func seconds(of run: RunRecord) -> Double {
        if let value = run.value(of: "boot-time")?.value { return value }
        let ends = run.markers.filter { $0.kind == Marker.bootReady }.map(\.time.seconds)
        return ends.max() ?? .infinity
    }

    private static func chosen(from run: RunRecord, replications: Int) -> [RepresentativeBoot] {
        var lanes: [String] = []
        for span in run.spans where !lanes.contains(span.lane) { lanes.append(span.lane) }
        let timelines = lanes.compactMap { BootTimeline(run, lane: $0) }
        func boot(_ timeline: BootTimeline, _ role: Role, nodes: Int) -> RepresentativeBoot {
            RepresentativeBoot(run, timeline, role, replications: replications, nodes: nodes)
        }
        let readyNodes = run.markers.filter { $0.kind == Marker.bootReady }
        guard timelines.count > 1 || Set(readyNodes.map(\.node)).count > 1 else {
            return timelines.map { boot($0, .only, nodes: 1) }
        }
        let times = nodeTimes(readyNodes, timelines)
        let ranked = timelines.sorted {
            (times[$0.lane] ?? .infinity, $0.lane) < (times[$1.lane] ?? .infinity, $1.lane)
        }
        let sorted = times.values.sorted()
        guard !sorted.isEmpty, let slowest = ranked.last else {
            return ranked.suffix(1).map { boot($0, .slowest, nodes: timelines.count) }
        }
        // Spans may be kept of few nodes; the one nearest to the median of all nodes stands for it.
        let middle = sorted[(sorted.count - 1) / 2]
        let nearest = ranked.min { left, right in
            abs((times[left.lane] ?? .infinity) - middle)
                < abs((times[right.lane] ?? .infinity) - middle)
        }!
        let nodes = max(times.count, timelines.count)
        guard nearest != slowest else { return [boot(slowest, .slowest, nodes: nodes)] }
        return [boot(nearest, .median, nodes: nodes), boot(slowest, .slowest, nodes: nodes)]
    }

    private init(
        _ run: RunRecord,
        _ timeline: BootTimeline,
        _ role: Role,
        replications: Int,
        nodes: Int
    ) {
        self.timeline = timeline
        self.role = role
        self.replications = replications
        self.nodes = nodes
        let isAlone = role == .only
        criticalSeconds = isAlone ? run.value(of: "boot-time")?.bound?.limit : nil
        let measured = isAlone ? run.value(of: "boot-speedup") : nil
        speedupBound = measured?.bound?.limit
        if let measured, measured.sampleCount == 1, let bootSeconds = timeline.bootSeconds {
            speedup = measured.value
            componentSeconds = measured.value * bootSeconds
        } else {
            speedup = timeline.speedup
            componentSeconds = timeline.componentSeconds
        }
    }

    /// Seconds from a node's first attempt to READY; from the run's start where its spans were not
    /// kept and its marker does not tell.
    private static func nodeTimes(
        _ markers: [Marker],
        _ timelines: [BootTimeline]
    ) -> [String: Double] {
        let starts = Dictionary(timelines.map { ($0.lane, $0.start) }) { first, _ in first }
        var times: [String: Double] = [:]
        for marker in markers {
            times[marker.node] =
                marker[Marker.secondsField]
                ?? (marker.time.seconds - (starts[marker.node] ?? .zero).seconds)
        }
        return times
    }
}
