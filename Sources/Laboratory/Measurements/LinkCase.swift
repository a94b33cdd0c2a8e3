/// One thing that a campaign's transfers may meet: a path as it is, or as faults make it.
public struct LinkCase: Hashable, Sendable {
    /// Whose it is: the variant, and the path where there are several.
    public var name: String
    public var profile: LinkProfile
    /// What makes the path different from what it is, for example `during net.loss`; `nil` for
    /// nothing.
    public var circumstance: String?
    /// Where the transport chooses the number of streams, so that the profile's is only the first.
    public var choice: StreamChoice?

    /// Whose streams they are, to find what they came to among the series of runs.
    public struct StreamChoice: Hashable, Sendable {
        public var variant: String
        /// As the label `link` of series names it.
        public var link: String
        /// How many transfers share the path, each with its own streams.
        public var transfers: Int
        /// Whether congestion control is chosen, too: then no series tells how many streams had which.
        public var choosesControl: Bool

        public init(variant: String, link: String, transfers: Int, choosesControl: Bool) {
            self.variant = variant
            self.link = link
            self.transfers = transfers
            self.choosesControl = choosesControl
        }
    }

    public init(
        _ name: String,
        _ profile: LinkProfile,
        circumstance: String? = nil,
        choice: StreamChoice? = nil
    ) {
        self.name = name
        self.profile = profile
        self.circumstance = circumstance
        self.choice = choice
    }
}

extension LinkCase.StreamChoice {
    /// The fewest and the most streams of one transfer that these runs tell of; `nil` where none
    /// does. Of a moment shorter than a point of the series they know only its share.
    public func used(in runs: [RunRecord]) -> ClosedRange<Int>? {
        var range: ClosedRange<Int>?
        for run in runs where run.key.variant == variant {
            for series in run.series where series.name == "streams" {
                let links = series.labels.filter { $0.key == "link" }
                guard links.allSatisfy({ $0.value == link }) else { continue }
                for value in series.values {
                    let count = Int(value.rounded())
                    range =
                        min(
                            range?.lowerBound ?? count,
                            count
                        )...max(
                            range?.upperBound ?? count,
                            count
                        )
                }
            }
        }
        return range
    }
}
