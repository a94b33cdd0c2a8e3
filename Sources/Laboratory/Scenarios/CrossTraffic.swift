public import Units

extension Scenario {
    /// Flows of others between two regions: endless TCP transfers in which no node takes part, and
    /// which give way and push as every connection does.
    public struct CrossTraffic: Hashable, Sendable {
        public var from: RegionID
        public var to: RegionID
        /// In 1...256.
        public var flows: Int
        /// Any but `automatic`.
        public var congestion: SystemConfiguration.Transport.Congestion
        /// Whether both ends use explicit congestion notification.
        public var usesCongestionNotification: Bool
        /// When the first flow opens.
        public var start: Interval

        public init(
            from: RegionID,
            to: RegionID,
            flows: Int,
            congestion: SystemConfiguration.Transport.Congestion = .cubic,
            usesCongestionNotification: Bool = false,
            start: Interval = .zero
        ) {
            self.from = from
            self.to = to
            self.flows = flows
            self.congestion = congestion
            self.usesCongestionNotification = usesCongestionNotification
            self.start = start
        }
    }

    /// The flows of others in one run are no more than these.
    static let mostCrossFlows = 1024

    /// The flows of others that go from one region to another.
    public func crossTraffic(from: RegionID, to: RegionID) -> [CrossTraffic] {
        crossTraffic.filter { $0.from == from && $0.to == to }
    }

    func write(_ traffic: CrossTraffic, into yaml: inout YAMLText) {
        yaml.field("from", regionName(traffic.from))
        yaml.field("to", regionName(traffic.to))
        yaml.field("flows", traffic.flows)
        yaml.field("congestion", traffic.congestion.rawValue)
        yaml.field("ecn", traffic.usesCongestionNotification)
        yaml.field("start", traffic.start)
    }
}
