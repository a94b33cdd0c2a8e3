import LinkModel
public import Units

extension Scenario {
    /// How streams over a path are simulated when they go over RDMA.
    public struct RDMAStreams: Hashable, Sendable {
        /// Payload bytes of a full packet.
        public var mtu: Int
        /// Bytes that a receiver registers for each node that sends to it.
        public var ring: ByteCount
        /// The share of the queue's limit at which a sender that was stopped may go on; `nil` where
        /// the queue drops instead of stopping anyone.
        public var resume: Ratio?

        public init(mtu: Int, ring: ByteCount, resume: Ratio?) {
            self.mtu = mtu
            self.ring = ring
            self.resume = resume
        }
    }
}

extension Scenario.PathProperties {
    /// The most of what a packet takes on the wire that can be a stream's bytes, and how that reads.
    public var payloadShare: (value: Double, text: String) {
        let payload = rdma?.mtu ?? 1448
        let whole = rdma.map { $0.mtu + 58 } ?? 1514
        return (Double(payload) / Double(whole), "\(payload)/\(whole)")
    }

    /// Whether a lossless path or queue pairs know everything that the path has.
    var suitsRDMA: Bool {
        source == .fixed && discipline == .dropTail && fidelity == .packet
            && jitter == .none && faults.duplicate == .zero && faults.reorder == .zero
    }
}

extension Scenario {
    /// What carries streams by a model that was never compared with the real thing.
    public var uncalibratedModels: [String] {
        let paths = topology.links.map(\.path) + topology.regions.map(\.local)
        return paths.contains { $0.rdma != nil } ? ["RDMA link model is uncalibrated"] : []
    }
}
