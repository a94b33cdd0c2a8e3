public import Measurements
public import Units

/// The boot of one node, component by component, put together from the spans of a run.
public struct BootTimeline: Equatable, Sendable {
    public let variant: String
    public let seed: UInt64
    /// The node, as the spans name it.
    public let lane: String
    /// When the process started, where the marker of READY tells; else the begin of the first attempt.
    public let start: Instant
    /// When the node became READY; `nil` when it never did.
    public let ready: Instant?
    /// Phase by phase in order of first mention, within a phase by start.
    public let components: [Component]

    public struct Component: Equatable, Sendable {
        public let name: String
        public let group: String
        /// By start; at least one.
        public let attempts: [Span]

        public var start: Instant { attempts[0].start }
        public var end: Instant { attempts.map(\.end).max()! }
        /// How the last attempt ended.
        public var outcome: Span.Outcome { attempts.last!.outcome }
        public var isCritical: Bool { attempts.contains(where: \.isCritical) }
        /// From the first attempt to the end of the last, delays before retries included.
        public var duration: Interval { end - start }
    }

    /// A link of the chain that bounds the boot.
    public struct Step: Equatable, Sendable {
        public let name: String
        public let group: String
        /// Time in which the chain waited before the component began.
        public let wait: Interval
        public let start: Instant
        public let end: Instant
        public let attempts: Int
        public let outcome: Span.Outcome

        public var duration: Interval { end - start }
    }

    /// More seconds than this between process start and first attempt are not believed.
    private static let leadLimit = 3_600.0

    /// `nil` when the run has no span on `lane`.
    public init?(_ run: RunRecord, lane: String) {
        let spans = run.spans.filter { $0.lane == lane }
        guard let first = spans.map(\.start).min() else { return nil }
        variant = run.key.variant
        seed = run.key.seed
        self.lane = lane
        // A node that was started several times has a marker a boot; its spans are those of the last.
        let marker = run.markers.first {
            $0.kind == Marker.bootReady && $0.node == lane && $0.time >= first
        }
        ready = marker?.time
        let seconds = marker?[Marker.secondsField] ?? 0
        let before = marker.map { $0.time.seconds - first.seconds } ?? 0
        let lead = seconds.isFinite ? min(max(0, seconds - before), BootTimeline.leadLimit) : 0
        start = first - Interval(seconds: lead)
        components = BootTimeline.components(spans)
    }

    private static func components(_ spans: [Span]) -> [Component] {
        struct Key: Hashable {
            let group: String
            let name: String
        }
        var groups: [String] = []
        var attempts: [Key: [Span]] = [:]
        for span in spans {
            if !groups.contains(span.group) { groups.append(span.group) }
            attempts[Key(group: span.group, name: span.name), default: []].append(span)
        }
        let all = attempts.map { key, spans in
            let ordered = spans.sorted { ($0.start, $0.end) < ($1.start, $1.end) }
            return Component(name: key.name, group: key.group, attempts: ordered)
        }.sorted { ($0.start, $0.end, $0.name) < ($1.start, $1.end, $1.name) }
        return groups.flatMap { group in all.filter { $0.group == group } }
    }

    /// Seconds from ``start`` to READY; `nil` when the node never became READY.
    public var bootSeconds: Double? { ready.map { $0.seconds - start.seconds } }

    /// The sum of the times of all components that had ended when the node was READY, or of all when
    /// it never was; in seconds.
    public var componentSeconds: Double {
        components.filter { component in ready.map { component.end <= $0 } ?? true }
            .reduce(0) { $0 + $1.duration.seconds }
    }

    /// The sum of component times over the boot time; `nil` without a boot time.
    public var speedup: Double? {
        guard let bootSeconds, bootSeconds > 0 else { return nil }
        return componentSeconds / bootSeconds
    }

    /// The chain of components for which READY, or the end of a failed boot, waited; in order of
    /// time, empty when the run marked none.
    public var criticalPath: [Step] {
        var steps: [Step] = []
        var reached = start
        let critical = components.filter(\.isCritical).sorted { $0.end < $1.end }
        for component in critical {
            steps.append(
                Step(
                    name: component.name,
                    group: component.group,
                    wait: max(.zero, component.start - reached),
                    start: component.start,
                    end: component.end,
                    attempts: component.attempts.count,
                    outcome: component.outcome
                )
            )
            reached = max(reached, component.end)
        }
        return steps
    }
}
