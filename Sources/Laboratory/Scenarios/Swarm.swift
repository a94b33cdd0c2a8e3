public import Machines
public import Units

extension Scenario {
    /// What each seed draws anew: a campaign then meets many small worlds instead of one that has
    /// everything at once (Groce et al., "Swarm Testing", ISSTA 2012).
    public struct Swarm: Hashable, Sendable {
        /// How likely each fault rule is there at all.
        public var present: Ratio
        /// How many times as often a rule that is there strikes; drawn evenly on a logarithmic
        /// scale.
        public var intensity: ClosedRange<Double>
        /// Numbers of nodes, of regions in file order.
        public var nodes: [NodeCount]
        /// Factors for every link's delay and rate, each drawn evenly on a logarithmic scale.
        public var delay: ClosedRange<Double>
        public var rate: ClosedRange<Double>
        /// Loss in place of the link's own; `nil` leaves it.
        public var loss: ClosedRange<Ratio>?
        /// Alternatives for parts of `system`, in file order.
        public var knobs: [Knob]
        /// How machines' biased points strike; `nil` for not at all.
        public var points: BiasedPoints.Chances?
        /// In how many seeds the invariants with ``Scenario/Invariant/isSampled`` are checked.
        public var checked: Ratio

        public struct NodeCount: Hashable, Sendable {
            public var region: RegionID
            public var count: ClosedRange<Int>

            public init(region: RegionID, count: ClosedRange<Int>) {
                self.region = region
                self.count = count
            }
        }

        /// One thing that is drawn: each option is a patch of `system`, as text of the language.
        public struct Knob: Hashable, Sendable {
            public var name: String
            public var options: [String]

            public init(name: String, options: [String]) {
                self.name = name
                self.options = options
            }
        }
    }

    /// What a seed has drawn from a swarm.
    public struct Drawing: Hashable, Sendable {
        /// Of the scenario that it was drawn from: what identifies the experiment.
        public var origin: String
        /// For people: what was drawn, by name.
        public var choices: [Choice]

        public struct Choice: Hashable, Sendable {
            public var name: String
            public var value: String
        }
    }
}
