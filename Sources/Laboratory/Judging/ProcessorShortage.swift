import Measurements
import Scenarios

/// Nodes that always had something to do, and for a good part of the time no processor to do it with: what they
/// missed, they may have missed for that.
///
/// What they reached in spite of it, they reached; only what is done to others would be more with more
/// processors.
struct ProcessorShortage {
    /// Percent of the time in which a node ran or could have run, above which it was never done.
    private static let allOfTheTime = 90.0
    /// Percent of the time for which it may have waited. Threads that wake often wait a little each time and are
    /// done all the same, so that waiting alone is no shortage.
    private static let limit = 5.0
    /// Metrics that tell what the nodes do to others.
    private static let costsOfOthers: Set = ["fairness-harm"]

    private let run: RunRecord
    private let wait: Double

    /// The longest wait beside the figures of a target; `nil` where nobody waited long, or nobody watched.
    init?(of target: Target, in runs: [RunRecord]) {
        let waits = runs.flatMap { run in
            run.metrics.filter { value in
                value.metric == "processor-need" && value.value > ProcessorShortage.allOfTheTime
                    && ProcessorShortage.belongs(value, of: run, to: target)
            }
            .compactMap { run.value(of: "processor-wait", labels: $0.labels)?.value }
            .map { (run, $0) }
        }
        guard let (run, wait) = waits.max(by: { $0.1 < $1.1 }), wait > ProcessorShortage.limit
        else { return nil }
        self.run = run
        self.wait = wait
    }

    private static func belongs(
        _ value: MetricValue,
        of run: RunRecord,
        to target: Target
    ) -> Bool {
        func label(_ key: String, of value: MetricValue) -> String? {
            value.labels.first { $0.key == key }?.value
        }
        let (link, transfer) = (label("link", of: value), label("transfer", of: value))
        if let wanted = target.link, let link, link != wanted { return false }
        guard let wanted = target.transfer else { return true }
        if let transfer { return transfer == wanted }
        guard let link else { return true }
        // Of a link that several take: whether this one does.
        return run.metrics.contains {
            label("transfer", of: $0) == wanted && label("link", of: $0) == link
        }
    }

    /// What becomes of what the interval says.
    func limiting(
        _ status: TargetJudgement.Status,
        of definition: MetricDefinition
    ) -> TargetJudgement.Status {
        guard definition.isNetworkDependent else { return status }
        let isOfOthers = ProcessorShortage.costsOfOthers.contains(definition.name)
        guard status == .failed || isOfOthers && status == .passed else { return status }
        let rounded = wait.rounded()
        return .undecided(
            "the nodes of \(run.name) were never done and waited \(Int(rounded)) % of the time for a "
                + "processor, so the figure says as much of this machine",
            nil
        )
    }
}
