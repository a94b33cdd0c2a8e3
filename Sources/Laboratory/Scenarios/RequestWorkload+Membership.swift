public import Units

extension Scenario.RequestWorkload {
    /// Administrators that change the membership of each group while requests go on: they add learners
    /// and voters, promote, remove and replace them, and hand leadership over.
    ///
    /// Each administrator asks the leader who takes part, draws an order that applies to it, and sends
    /// it; the next one follows whatever came of it. Orders end when the scenario says that all is well
    /// (`recovery.heal-at`), or with the requests.
    public struct Membership: Hashable, Sendable {
        /// The replicas of each group that vote from the beginning; the others are spares, which know of
        /// no group until they are added to it.
        public var founders: Int
        /// Voters are not removed below this number; at least one.
        public var least: Int
        /// Between two orders of one administrator: half of it to one and a half times.
        public var every: Interval
        public var style: Style
        /// How many of the orders hand leadership over instead.
        public var transfers: Ratio
        /// Of each group. Two that believe in different leaders order different changes.
        public var administrators: Int

        /// How voters change.
        public enum Style: String, Hashable, Sendable, CaseIterable {
            /// One node at a time (dissertation, section 4.1).
            case single
            /// Any set of voters, through a joint phase (section 4.3).
            case joint
            /// Each order is one or the other.
            case mixed
        }

        public init(
            founders: Int,
            least: Int,
            every: Interval,
            style: Style,
            transfers: Ratio,
            administrators: Int
        ) {
            self.founders = founders
            self.least = least
            self.every = every
            self.style = style
            self.transfers = transfers
            self.administrators = administrators
        }

        /// The same for groups of fewer replicas.
        func limited(to replicas: Int) -> Membership {
            var membership = self
            membership.founders = min(founders, replicas)
            membership.least = min(least, membership.founders)
            return membership
        }
    }

    /// The replicas of a group that vote from the beginning.
    public func founders(of group: [NodeID]) -> [NodeID] {
        Array(group.prefix(membership?.founders ?? group.count))
    }

    /// The founders that are witnesses.
    public func witnesses(of group: [NodeID]) -> [NodeID] { founders(of: group).suffix(witnesses) }

    /// The fewest voters that a group ever has.
    public var leastVoters: Int { membership?.least ?? replicas }
}
