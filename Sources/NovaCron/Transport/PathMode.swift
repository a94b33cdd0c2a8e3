public import Machines
public import Units

/// The kind of path that a transfer goes over, of which the transport has its habits.
///
/// The plans name data centres (round trips below 1 ms), a regional tier (10–50 ms) and the internet
/// (above 50 ms, or losses). What is between is divided by `PathModeDetector.Rules`.
public enum PathMode: String, Hashable, Sendable, CaseIterable, Codable {
    case datacenter
    case regional
    case internet

    /// What the transport does on such a path.
    public var habits: Habits {
        switch self {
        case .datacenter:
            Habits(
                congestion: .cubic,
                mayUseBBR: false,
                streams: 4,
                silenceLimit: .seconds(1),
                keepAlive: .seconds(10)
            )
        case .regional:
            Habits(
                congestion: .cubic,
                mayUseBBR: true,
                streams: nil,
                silenceLimit: .seconds(2),
                keepAlive: .seconds(30)
            )
        case .internet:
            Habits(
                congestion: .bbr,
                mayUseBBR: true,
                streams: nil,
                silenceLimit: .seconds(5),
                keepAlive: .seconds(30)
            )
        }
    }

    /// What a mode changes in a transfer. What the configuration fixes stays as it is.
    public struct Habits: Hashable, Sendable {
        /// The congestion control to begin with, where the transport may choose one.
        public var congestion: CongestionControl
        /// Whether the tuner may try a control that takes no loss for congestion.
        public var mayUseBBR: Bool
        /// The streams to begin with; `nil` for the formula, or a few with BBR. The tuner goes on
        /// from there, within the bounds of the configuration.
        public var streams: Int?
        /// As `TransportConfiguration.silenceLimit`, which it never exceeds.
        public var silenceLimit: Interval
        /// As `TransportConfiguration.keepAlive`, which it never exceeds.
        public var keepAlive: Interval
    }
}

/// Which mode a transfer is in.
public enum PathModeChoice: Hashable, Sendable {
    /// By what its streams measure; it begins with what the configuration says of the path.
    case automatic
    case fixed(PathMode)
}
