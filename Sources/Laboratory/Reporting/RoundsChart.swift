internal import Measurements
internal import Units

/// The pre-copy rounds of one run of one variant: what was dirty and what crossed the wire.
///
/// An experiment leaves a marker of kind `migration.round` at the end of each round, with the fields
/// `round` (from 0), `dirty` and `wire` (bytes) and `seconds` (its duration). Migrations that run in
/// one replication are added up round by round; durations are averaged.
struct RoundsChart {
    static let markerKind = "migration.round"

    let evidence: Evidence
    let variant: Int
    let rounds: [Round]

    struct Round: Equatable {
        let number: Int
        /// The migrations that had this round.
        var migrations: Int
        var dirtyBytes: Double
        var wireBytes: Double
        var totalSeconds: Double

        var meanSeconds: Double { totalSeconds / Double(migrations) }
    }

    init(evidence: Evidence, variant: Int) {
        self.evidence = evidence
        self.variant = variant
        rounds = RoundsChart.rounds(evidence.shownRun(variant)?.markers ?? [])
    }

    private static func rounds(_ markers: [Marker]) -> [Round] {
        var rounds: [Int: Round] = [:]
        for marker in markers where marker.kind == markerKind {
            guard let number = marker["round"], number >= 0, number < 10_000,
                let dirty = marker["dirty"], let wire = marker["wire"],
                let seconds = marker["seconds"]
            else { continue }
            let empty = Round(
                number: Int(number),
                migrations: 0,
                dirtyBytes: 0,
                wireBytes: 0,
                totalSeconds: 0
            )
            rounds[Int(number), default: empty].migrations += 1
            rounds[Int(number)]!.dirtyBytes += dirty
            rounds[Int(number)]!.wireBytes += wire
            rounds[Int(number)]!.totalSeconds += seconds
        }
        return rounds.keys.sorted().map { rounds[$0]! }
    }

    var title: String { "Migration rounds · \(evidence.variants[variant])" }

    /// `nil` when the run holds no rounds, because it migrated nothing.
    var chart: Chart? {
        guard !rounds.isEmpty else { return nil }
        let bytes = rounds.flatMap { [$0.dirtyBytes, $0.wireBytes] }
        let y = Axis(covering: bytes, unit: "B", fromZero: true)
        var frame = ChartFrame(x: nil, xLabel: "round", y: y, yLabel: y.scale.unit)
        let last = Double(rounds.count) - 0.5
        frame.command("set xrange [-0.5:\(plain(last))]")
        let every = (rounds.count + 11) / 12
        let names = rounds.indices.filter { $0 % every == 0 }.map {
            "'\(rounds[$0].number)' \($0)"
        }
        frame.command("set xtics (\(names.joined(separator: ", ")))")
        frame.command("set boxwidth 0.32 absolute")
        let places = rounds.indices.map(Double.init)
        let ink = quoted(evidence.accent(variant).code)
        frame.plot(
            [places.map { $0 - 0.18 }, rounds.map { y.place($0.dirtyBytes) }],
            "using 1:2 with boxes fs solid 0.3 noborder lc rgb \(ink)"
        )
        frame.plot(
            [places.map { $0 + 0.18 }, rounds.map { y.place($0.wireBytes) }],
            "using 1:2 with boxes fs solid 1.0 noborder lc rgb \(ink)"
        )
        return frame.chart(
            label: "Bytes dirty and bytes sent in each round of \(evidence.variants[variant])"
        )
    }

    var caption: String {
        let most = rounds.map(\.migrations).max() ?? 0
        let sum = most == 1 ? "one migration" : "\(most) migrations added up"
        let seed = evidence.shownSeed.map { ", seed \($0)" } ?? ""
        return "\(title): light bars are bytes dirty, full bars bytes on the wire; \(sum)\(seed)."
    }
}
