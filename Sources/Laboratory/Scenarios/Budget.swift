public import Units

/// How much a campaign may cost and how precise it must become.
public struct Budget: Hashable, Sendable {
    /// Real time for all replications of all variants.
    public var wall: Interval
    public var replications: Replications

    /// The number of seeds of each variant.
    public struct Replications: Hashable, Sendable {
        /// At least two, because one replication has no interval.
        public var minimum: Int
        public var maximum: Int
        /// Replications stop once every gated interval is at most this wide, relative to its mean.
        public var relativeHalfWidth: Ratio

        public init(minimum: Int, maximum: Int, relativeHalfWidth: Ratio) {
            self.minimum = minimum
            self.maximum = maximum
            self.relativeHalfWidth = relativeHalfWidth
        }
    }

    public init(wall: Interval, replications: Replications) {
        self.wall = wall
        self.replications = replications
    }
}
