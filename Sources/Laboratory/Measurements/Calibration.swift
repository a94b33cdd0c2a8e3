/// What a steady transfer meets: the properties of a path, and of what runs over it, on which the
/// likeness of the simulated TCP to a real one depends.
public struct LinkProfile: Hashable, Sendable, Codable {
    public var bitsPerSecond: Double
    /// Without queueing.
    public var roundTripSeconds: Double
    /// The scale of a normal delay variation without overtaking, in each direction.
    public var jitterSeconds: Double
    /// The long-run share of lost packets, in the direction of the data.
    public var loss: Double
    /// Packets that are lost one after another, on average; 1 where each is on its own.
    public var lossBurst: Double
    public var queueBytes: Double
    public var flows: Int
    /// As a scenario names it: `cubic`, `bbr`.
    public var congestion: String

    public init(
        bitsPerSecond: Double,
        roundTripSeconds: Double,
        jitterSeconds: Double = 0,
        loss: Double,
        lossBurst: Double = 1,
        queueBytes: Double,
        flows: Int,
        congestion: String
    ) {
        self.bitsPerSecond = bitsPerSecond
        self.roundTripSeconds = roundTripSeconds
        self.jitterSeconds = jitterSeconds
        self.loss = loss
        self.lossBurst = lossBurst
        self.queueBytes = queueBytes
        self.flows = flows
        self.congestion = congestion
    }

    /// Files of earlier versions have neither jitter nor bursts, and measured neither.
    public init(from decoder: any Decoder) throws {
        let fields = try decoder.container(keyedBy: CodingKeys.self)
        self.init(
            bitsPerSecond: try fields.decode(Double.self, forKey: .bitsPerSecond),
            roundTripSeconds: try fields.decode(Double.self, forKey: .roundTripSeconds),
            jitterSeconds: try fields.decodeIfPresent(Double.self, forKey: .jitterSeconds) ?? 0,
            loss: try fields.decode(Double.self, forKey: .loss),
            lossBurst: try fields.decodeIfPresent(Double.self, forKey: .lossBurst) ?? 1,
            queueBytes: try fields.decode(Double.self, forKey: .queueBytes),
            flows: try fields.decode(Int.self, forKey: .flows),
            congestion: try fields.decode(String.self, forKey: .congestion)
        )
    }

    /// Full packets in one bandwidth-delay product: 1,500 bytes of IP and 14 of framing each.
    public var productPackets: Double { bitsPerSecond * roundTripSeconds / 8 / 1514 }
    /// Lost packets in one bandwidth-delay product.
    public var lossPerProduct: Double { loss * productPackets }
    /// The queue in bandwidth-delay products.
    public var queuePerProduct: Double {
        queueBytes / max(1514, bitsPerSecond * roundTripSeconds / 8)
    }

    /// The delay variation in round trips.
    public var jitterPerRoundTrip: Double {
        roundTripSeconds > 0 ? jitterSeconds / roundTripSeconds : jitterSeconds > 0 ? 1 : 0
    }

    /// The values of `axes`, in their order.
    var axisValues: [Double] {
        [
            bitsPerSecond, productPackets, lossPerProduct, queuePerProduct, Double(flows),
            jitterPerRoundTrip, lossBurst,
        ]
    }

    /// The axes of the envelope: name, value, and how a value is printed.
    public var axes: [(name: String, value: Double, text: String)] {
        [
            ("rate", bitsPerSecond, "\(LinkProfile.short(bitsPerSecond / 1e6)) Mbit/s"),
            (
                "bandwidth-delay product", productPackets,
                "\(LinkProfile.short(productPackets)) packets"
            ),
            (
                "loss per product", lossPerProduct,
                "\(LinkProfile.short(lossPerProduct)) packets"
            ),
            ("queue", queuePerProduct, "\(LinkProfile.short(queuePerProduct)) products"),
            ("flows", Double(flows), "\(flows)"),
            (
                "jitter", jitterPerRoundTrip,
                "\(LinkProfile.short(100 * jitterPerRoundTrip)) % of a round trip"
            ),
            ("burst of losses", lossBurst, "\(LinkProfile.short(lossBurst)) packets"),
        ]
    }

    public static func short(_ value: Double) -> String {
        let scale = value >= 100 ? 1.0 : value >= 1 ? 10.0 : 1000.0
        let rounded = (value * scale).rounded() / scale
        let isWhole = rounded == rounded.rounded() && abs(rounded) < 1e15
        return isWhole ? "\(Int(rounded))" : "\(rounded)"
    }
}

/// One profile, measured in simulation and on emulated links by the same code.
public struct CalibrationCell: Hashable, Sendable, Codable {
    public var profile: LinkProfile
    public var simulated: Figures
    public var real: Figures
    /// How exact the emulated links were: the 99th percentile of their delay error.
    public var delayErrorMilliseconds: Double

    /// What a steady transfer came to.
    public struct Figures: Hashable, Sendable, Codable {
        /// What the streams brought to the receiver, in bits a second: their TCP's work, apart from
        /// the order in which a transport delivers.
        public var throughput: Double
        /// 95th percentile of the streams' smoothed round-trip times.
        public var roundTripMilliseconds: Double
        /// Replications behind it.
        public var replications: Int

        public init(throughput: Double, roundTripMilliseconds: Double, replications: Int) {
            self.throughput = throughput
            self.roundTripMilliseconds = roundTripMilliseconds
            self.replications = replications
        }
    }

    public init(
        profile: LinkProfile,
        simulated: Figures,
        real: Figures,
        delayErrorMilliseconds: Double
    ) {
        self.profile = profile
        self.simulated = simulated
        self.real = real
        self.delayErrorMilliseconds = delayErrorMilliseconds
    }

    /// Simulated against real, as a share of real; positive when the simulation is too fast.
    public var throughputError: Double { simulated.throughput / real.throughput - 1 }
    /// Simulated against real, as a share of real.
    public var roundTripError: Double {
        simulated.roundTripMilliseconds / real.roundTripMilliseconds - 1
    }
}

/// How a laboratory's simulated TCP compares with a real one, and for which links it may be believed.
public struct Calibration: Hashable, Sendable, Codable {
    /// UTC, ISO 8601.
    public var measuredAt: String
    /// The kernel whose TCP was measured.
    public var kernel: String
    /// The commit of the laboratory that measured and simulated.
    public var commit: String
    /// Whether only the short grid was measured.
    public var isQuick: Bool
    public var cells: [CalibrationCell]

    public init(
        measuredAt: String,
        kernel: String,
        commit: String,
        isQuick: Bool,
        cells: [CalibrationCell]
    ) {
        self.measuredAt = measuredAt
        self.kernel = kernel
        self.commit = commit
        self.isQuick = isQuick
        self.cells = cells
    }

    /// An error of throughput beyond which a profile is not calibrated: that of `docs/tcp-calibration.md`
    /// for single lossy flows, the widest there.
    public static let tolerance = 0.15

    /// Why a profile is outside; `nil` when it is inside the envelope.
    ///
    /// - Parameter origin: Where the number of flows comes from, if more than the number is to be said.
    public func obstacle(to profile: LinkProfile, flows origin: String? = nil) -> String? {
        CalibratedRegion(of: profile.congestion, in: self).obstacle(to: profile, flows: origin)
    }
}
