public import Units

extension Scenario {
    /// The first node of one region sends without end to a node of another, and may send to others, or
    /// others may, at the same time. Steady: measured over a window after a warm-up.
    ///
    /// Transfers from one region have one sender, which divides what it gets across by their shares.
    public struct BulkWorkload: Hashable, Sendable {
        public var from: RegionID
        public var to: RegionID
        /// When the transfer begins, after the run's start.
        public var start: Interval
        public var duration: SteadyDuration
        /// What figures call the transfer besides its link; no other has the name.
        public var name: String?
        public var share: Share?
        /// Transfers at the same time. A region sends or receives; one that receives several has a node
        /// for each.
        public var beside: [Transfer]

        /// Transfers that one region sends at most: as many as a node of the transport.
        public static let transferLimit = 64

        /// What a transfer is entitled to among those of its sender.
        public struct Share: Hashable, Sendable {
            /// Relative to the other transfers', 1...1,000.
            public var weight: Int
            /// It is not held back below this rate.
            public var least: BitRate?
            /// It never gets more payload across than this rate lets through; at least `leastMost`.
            public var most: BitRate?

            /// The transport holds no transfer below this rate.
            public static let leastMost = BitRate(bitsPerSecond: 8_000)

            public init(weight: Int = 1, least: BitRate? = nil, most: BitRate? = nil) {
                self.weight = weight
                self.least = least
                self.most = most
            }
        }

        /// One transfer of the workload.
        public struct Transfer: Hashable, Sendable {
            public var from: RegionID
            public var to: RegionID
            /// When it begins, after the run's start.
            public var start: Interval
            public var duration: SteadyDuration
            /// What figures call it besides its link.
            public var name: String?
            public var share: Share?

            public init(
                from: RegionID,
                to: RegionID,
                start: Interval = .zero,
                duration: SteadyDuration,
                name: String? = nil,
                share: Share? = nil
            ) {
                self.from = from
                self.to = to
                self.start = start
                self.duration = duration
                self.name = name
                self.share = share
            }

            /// When its measured window ends, after the run's start.
            public var horizon: Interval { start + duration.horizon }
        }

        public init(
            from: RegionID,
            to: RegionID,
            start: Interval = .zero,
            duration: SteadyDuration,
            name: String? = nil,
            share: Share? = nil,
            beside: [Transfer] = []
        ) {
            self.from = from
            self.to = to
            self.start = start
            self.duration = duration
            self.name = name
            self.share = share
            self.beside = beside
        }

        /// All transfers, the workload's own first.
        public var transfers: [Transfer] {
            let own = Transfer(
                from: from,
                to: to,
                start: start,
                duration: duration,
                name: name,
                share: share
            )
            return [own] + beside
        }
    }
}
