public import Measurements

/// The crash points that runs tried, each with how often it was survived.
///
/// Runs leave a marker of kind ``Measurements/Marker/crashPoint`` for each crash they made.
public struct CrashPoints: Equatable, Sendable {
    /// Points that were not always survived first, then all others; both in the order in which runs
    /// name them.
    public let points: [Point]

    public struct Point: Equatable, Sendable {
        public let name: String
        public let tried: Int
        public let survived: Int

        public var isSurvived: Bool { survived == tried }
    }

    public init(_ runs: [RunRecord]) {
        var names: [String] = []
        var counts: [String: (tried: Int, survived: Int)] = [:]
        for run in runs {
            for marker in run.markers where marker.kind == Marker.crashPoint {
                if counts[marker.text] == nil { names.append(marker.text) }
                counts[marker.text, default: (0, 0)].tried += 1
                // Anything but a clear yes is no.
                if marker[Marker.survivedField] == 1 { counts[marker.text]!.survived += 1 }
            }
        }
        let all = names.map { name in
            Point(name: name, tried: counts[name]!.tried, survived: counts[name]!.survived)
        }
        points = all.filter { !$0.isSurvived } + all.filter(\.isSurvived)
    }

    public var survivedCount: Int { points.count(where: \.isSurvived) }
}
