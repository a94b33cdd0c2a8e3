import Measurements
import Units

extension VerdictDocument {
    /// One boot that stands for others. Times are seconds from the boot's start.
    public struct Boot: Hashable, Sendable {
        public let variant: String
        public let seed: UInt64
        public let node: String
        /// `only`, `median` or `slowest` among the nodes of the replication.
        public let role: String
        /// The completed replications of which this is the median; 0 when none completed.
        public let replications: Int
        public let nodes: Int
        /// `nil` when the node never became READY.
        public let bootSeconds: Double?
        public let componentSeconds: Double
        public let speedup: Double?
        /// What the graph allows at most, where the experiment states it.
        public let speedupBound: Double?
        public let criticalPath: [Step]
        public let components: [Component]

        public struct Step: Hashable, Sendable, Encodable {
            public let component: String
            public let phase: String
            public let waitSeconds: Double
            public let startSeconds: Double
            public let endSeconds: Double
            public let attempts: Int
            public let outcome: String
        }

        public struct Component: Hashable, Sendable, Encodable {
            public let component: String
            public let phase: String
            public let startSeconds: Double
            public let endSeconds: Double
            public let attempts: Int
            public let outcome: String
            public let isCritical: Bool
        }
    }

    public struct CrashPoint: Hashable, Sendable, Encodable {
        public let point: String
        public let tried: Int
        public let survived: Int

        init(_ point: CrashPoints.Point) {
            self.point = point.name
            tried = point.tried
            survived = point.survived
        }
    }
}

extension VerdictDocument.Boot: Encodable {
    init(_ boot: RepresentativeBoot) {
        let timeline = boot.timeline
        let origin = timeline.start.seconds
        func finite(_ value: Double?) -> Double? {
            value.flatMap { $0.isFinite ? $0 : nil }
        }
        variant = timeline.variant
        seed = timeline.seed
        node = timeline.lane
        role = boot.role.rawValue
        replications = boot.replications
        nodes = boot.nodes
        bootSeconds = timeline.bootSeconds
        componentSeconds = boot.componentSeconds
        speedup = finite(boot.speedup)
        speedupBound = finite(boot.speedupBound)
        criticalPath = timeline.criticalPath.map { step in
            Step(
                component: step.name,
                phase: step.group,
                waitSeconds: step.wait.seconds,
                startSeconds: step.start.seconds - origin,
                endSeconds: step.end.seconds - origin,
                attempts: step.attempts,
                outcome: step.outcome.rawValue
            )
        }
        components = timeline.components.map { component in
            Component(
                component: component.name,
                phase: component.group,
                startSeconds: component.start.seconds - origin,
                endSeconds: component.end.seconds - origin,
                attempts: component.attempts.count,
                outcome: component.outcome.rawValue,
                isCritical: component.isCritical
            )
        }
    }

    private enum CodingKeys: String, CodingKey {
        case variant, seed, node, role, replications, nodes, bootSeconds, componentSeconds
        case speedup, speedupBound, criticalPath, components
    }

    public func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encode(variant, forKey: .variant)
        try container.encode(seed, forKey: .seed)
        try container.encode(node, forKey: .node)
        try container.encode(role, forKey: .role)
        try container.encode(replications, forKey: .replications)
        try container.encode(nodes, forKey: .nodes)
        try container.encode(bootSeconds, forKey: .bootSeconds)
        try container.encode(componentSeconds, forKey: .componentSeconds)
        try container.encode(speedup, forKey: .speedup)
        try container.encode(speedupBound, forKey: .speedupBound)
        try container.encode(criticalPath, forKey: .criticalPath)
        try container.encode(components, forKey: .components)
    }
}
