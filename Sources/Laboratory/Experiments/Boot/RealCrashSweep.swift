import Effects
import Initialization
import Measurements
import RealNodes
import Scenarios
import Units

/// What became of a real node that was killed at one point after the other.
struct RealCrashSweep {
    private let node: NodeID
    private var survivals: [CrashSurvival] = []

    init(_ node: NodeID) {
        self.node = node
    }

    mutating func add(_ survival: CrashSurvival) {
        survivals.append(survival)
    }

    func write(into record: inout RunRecord) {
        var time = Instant.zero
        for survival in survivals {
            time += .milliseconds(1)
            record.markers.append(
                Marker(
                    time: time,
                    node: node.description,
                    kind: Marker.crashPoint,
                    text: survival.point.description,
                    fields: [Field(Marker.survivedField, survival.isSurvived ? 1 : 0)]
                )
            )
        }
        record.invariants += [
            outcome(.bootSurvivesCrashPoints) { survival in
                survival.isSurvived ? nil : survival.allProblems.first ?? "never READY again"
            },
            outcome(.identitySurvivesCrashes) { survival in
                survival.keepsIdentity ? nil : "the certificate authority is another one"
            },
            outcome(.noHalfMigration) { survival in
                survival.recovered.databaseProblems.first
            },
        ]
        let survived = survivals.count(where: \.isSurvived)
        record.facts.append(
            Fact(
                "crash points",
                "\(survived) of \(survivals.count) survived, each with a process that was killed "
                    + "there and a folder of its own"
            )
        )
    }

    private func outcome(
        _ invariant: Scenario.Invariant,
        _ problem: (CrashSurvival) -> String?
    ) -> InvariantOutcome {
        InvariantOutcome(
            name: invariant.rawValue,
            checked: UInt64(survivals.count),
            violations: survivals.compactMap { survival in
                problem(survival).map {
                    Violation(time: .zero, message: "\(survival.point): \($0)")
                }
            }
        )
    }
}

extension CrashSurvival {
    fileprivate var allProblems: [String] { problems + recovered.problems }
}

extension BootMeasurement {
    /// Before and after each durable step, in the order in which the steps were reached.
    var crashPoints: [CrashPoint] {
        steps.flatMap { step in
            CrashPoint.Side.allCases.map { CrashPoint(step: step, side: $0) }
        }
    }
}
