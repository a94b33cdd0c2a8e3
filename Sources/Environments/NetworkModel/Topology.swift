public import LinkModel
public import Units

/// Regions, the nodes in them, and the directed links between them.
///
/// A packet crosses exactly one link: that from its sender's region to its receiver's, or the
/// region's own link when both are the same. Where no link is declared nothing passes.
public struct Topology: Hashable, Sendable {
    /// The number of regions; their identifiers are `0..<regionCount`.
    public var regionCount: Int
    /// The region of each node, indexed by `NodeID.rawValue`.
    public var nodes: [RegionID]
    /// At most one link for each ordered pair of regions; one from a region to itself takes the
    /// place of `local` there.
    public var links: [DirectedLink]
    /// The link that each region's nodes share among themselves, one per region.
    public var local: LinkParameters

    /// Flows beside those of the nodes.
    public var crossTraffic: [CrossTraffic] = []

    /// One direction between two regions.
    public struct DirectedLink: Hashable, Sendable {
        public var from: RegionID
        public var to: RegionID
        public var parameters: LinkParameters

        public init(from: RegionID, to: RegionID, _ parameters: LinkParameters) {
            self.from = from
            self.to = to
            self.parameters = parameters
        }
    }

    public init(
        regionCount: Int,
        nodes: [RegionID],
        links: [DirectedLink],
        local: LinkParameters = .datacenter
    ) {
        self.regionCount = regionCount
        self.nodes = nodes
        self.links = links
        self.local = local
    }
}
