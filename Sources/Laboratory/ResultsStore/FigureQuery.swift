import Measurements
public import Scenarios

/// The SQL behind a reported figure: run over the archive it gives the same point estimate.
///
/// Intervals need Student's t and are computed by the laboratory from the same rows; the text says
/// so in a comment where it matters. Percentiles read the samples, which are JSON up to 1,000 of
/// them a run; beyond that they are packed, and the text gives the per-run figures instead.
public struct FigureQuery: Hashable, Sendable {
    public let sql: String

    /// - Parameters:
    ///   - target: What was judged.
    ///   - subject: The variant or pair of one judgement; a target for every variant has several.
    ///   - plan: The identity of the plan.
    public init(_ target: Target, subject: Target.Subject, plan: String) {
        let selection = FigureQuery.selection(target, plan)
        switch subject {
        case .compare(let first, let second):
            sql = FigureQuery.comparison(target, first, second, selection)
        case .variant(let name):
            sql = FigureQuery.single(target, selection + " AND run.variant = \(quoted(name))")
        case .everyVariant:
            sql = FigureQuery.single(target, selection)
        }
    }

    /// SQLite keeps the order of a CROSS JOIN: one plan's runs are looked up, where its own choice
    /// would walk the metric's figures of the whole archive.
    private static let source = """
        FROM plan
        CROSS JOIN run ON run.plan_id = plan.id
        CROSS JOIN metric_value AS figure ON figure.run_id = run.id
        """

    private static func selection(_ target: Target, _ plan: String) -> String {
        var text = """
            WHERE plan.identity = \(quoted(plan)) AND run.outcome = 'completed'
              AND figure.metric = \(quoted(target.metric))
            """
        // Without a selector the figure of the whole run counts, or the only one there is.
        func alone(_ condition: String = "") -> String {
            "(SELECT count(*) FROM metric_value AS other WHERE other.run_id = run.id "
                + "AND other.metric = figure.metric\(condition)) = 1"
        }
        for (key, wanted) in [("link", target.link), ("region", target.region)] {
            // A transfer has a name of its own, whichever its link.
            if key == "link", wanted == nil, target.transfer != nil { continue }
            let label = "figure.labels ->> '\(key)'"
            text +=
                wanted.map { "\n  AND \(label) = \(quoted($0))" }
                ?? "\n  AND (\(label) IS NULL OR \(alone()))"
        }
        let label = "figure.labels ->> 'transfer'"
        if let transfer = target.transfer { return text + "\n  AND \(label) = \(quoted(transfer))" }
        // One that is alone, on its link or at all, may have a name all the same.
        let sameRegion = " AND other.labels ->> 'region' IS figure.labels ->> 'region'"
        let onLink = target.link.map { " AND other.labels ->> 'link' = \(quoted($0))" } ?? ""
        return text + "\n  AND (\(label) IS NULL OR \(alone(sameRegion + onLink)))"
    }

    private static func single(_ target: Target, _ selection: String) -> String {
        switch target.statistic {
        case .mean:
            "SELECT avg(figure.value) AS mean, count(*) AS n\n\(source)\n\(selection);"
        case .count:
            "SELECT avg(figure.sample_count) AS count, count(*) AS n\n\(source)\n\(selection);"
        case .rate:
            """
            SELECT avg(figure.sample_count / run.simulated_seconds) AS rate, count(*) AS n
            \(source)
            \(selection);
            """
        case .min:
            "SELECT min(figure.sample_minimum) AS min, count(*) AS n\n\(source)\n\(selection);"
        case .max:
            "SELECT max(figure.sample_maximum) AS max, count(*) AS n\n\(source)\n\(selection);"
        case .median:
            percentile(50, selection)
        case .percentile(let percent):
            percentile(percent, selection)
        case .speedup, .difference, .ratio:
            // The scenario language refuses such a target; the rows it would need are these.
            "SELECT run.seed, run.variant, figure.value\n\(source)\n\(selection);"
        }
    }

    /// Type 7 of Hyndman and Fan over the samples: of each run first, then of all runs together.
    /// The report uses the former when every run has 10·100/(100−N) samples, otherwise the latter.
    private static func percentile(_ percent: Double, _ selection: String) -> String {
        """
        WITH sample AS (
          SELECT run.seed, coalesce(item.value, figure.value) AS value
          \(source.indentedClause)
          LEFT JOIN json_each(figure.samples) AS item
          \(selection.indentedClause)
        ), ranked AS (
          SELECT seed, value,
            row_number() OVER (PARTITION BY seed ORDER BY value) - 1 AS own,
            (count(*) OVER (PARTITION BY seed) - 1) * \(percent / 100) AS own_position,
            row_number() OVER (ORDER BY value) - 1 AS pooled,
            (count(*) OVER () - 1) * \(percent / 100) AS pooled_position
          FROM sample
        ), quantile AS (
          SELECT seed, sum(value * max(0, 1 - abs(own - own_position))) AS value
          FROM ranked GROUP BY seed
        )
        SELECT (SELECT avg(value) FROM quantile) AS mean_of_runs,
          sum(value * max(0, 1 - abs(pooled - pooled_position))) AS pooled,
          count(*) AS samples
        FROM ranked;
        """
    }

    private static func comparison(
        _ target: Target,
        _ first: String,
        _ second: String,
        _ selection: String
    ) -> String {
        let figure: String =
            switch target.statistic {
            case .difference: "avg(first.value - second.value) AS difference"
            case .ratio: "exp(avg(ln(first.value / second.value))) AS ratio"
            case .speedup, .count, .rate, .mean, .min, .median, .max, .percentile:
                MetricCatalogue.standard[target.metric]?.direction == .higherIsBetter
                    ? "exp(avg(ln(first.value / second.value))) AS speedup"
                    : "exp(avg(ln(second.value / first.value))) AS speedup"
            }
        func side(_ name: String) -> String {
            """
            SELECT run.seed, figure.value
              \(source.indentedClause)
              \(selection.indentedClause) AND run.variant = \(quoted(name))
            """
        }
        return """
            WITH first AS (
              \(side(first))
            ), second AS (
              \(side(second))
            )
            SELECT \(figure), count(*) AS n
            FROM first JOIN second USING (seed);
            """
    }
}

/// A text as an SQL literal.
private func quoted(_ text: String) -> String {
    "'" + text.split(separator: "'", omittingEmptySubsequences: false).joined(separator: "''") + "'"
}

extension String {
    /// The same text, its further lines indented like a nested clause.
    fileprivate var indentedClause: String {
        split(separator: "\n", omittingEmptySubsequences: false).joined(separator: "\n  ")
    }
}
