import Measurements
import Units

extension ScenarioBuilder {
    /// Checks names, grammar and gating rules of all targets.
    mutating func checkTargets(
        _ values: [CheckedValue],
        variants: [String],
        topology: Scenario.Topology?
    ) {
        let gated = values.compactMap { $0.record.text("metric") }
        for value in values {
            let record = value.record
            checkSubject(record, variants: variants)
            if let region = record["region"] { _ = self.region(region) }
            if let link = record["link"], let topology, knowsAllLinks,
                !topology.links.contains(where: { $0.name == link.text })
            {
                var names: [String] = []
                for name in topology.links.map(\.name) where !names.contains(name) {
                    names.append(name)
                }
                unknown("link", link, among: names)
            }
            checkMetric(record, gated: gated)
        }
    }

    private mutating func checkSubject(_ record: CheckedRecord, variants: [String]) {
        if let variant = record["variant"] {
            if record.has("compare") {
                add(.conflict, variant, "the target has both 'variant' and 'compare'")
            } else if !variants.contains(variant.text ?? "") {
                unknown("variant", variant, among: variants)
            }
        }
        guard let compare = record["compare"] else { return }
        guard compare.list.count == 2 else {
            add(
                .outOfRange,
                compare,
                "\(compare.list.count) variants are compared",
                expected: "exactly two"
            )
            return
        }
        for element in compare.list where element.text.map({ !variants.contains($0) }) ?? false {
            unknown("variant", element, among: variants)
        }
        if let first = compare.list[0].text, first == compare.list[1].text {
            add(.conflict, compare.list[1], "a variant is compared with itself")
        }
    }

    private mutating func checkMetric(_ record: CheckedRecord, gated: [String]) {
        guard let metric = record["metric"], let name = metric.text else { return }
        guard let definition = catalogue[name] else {
            unknown("metric", metric, among: catalogue.gateableNames)
            return
        }
        switch definition.gating {
        case .alone: break
        case .never:
            add(
                .conflict,
                metric,
                "'\(name)' is printed but never gated",
                expected: catalogue.gateableNames.joined(separator: ", ")
            )
            return
        case .onlyBeside(let other):
            if !gated.contains(other) {
                add(
                    .conflict,
                    metric,
                    "'\(name)' alone decides nothing",
                    expected: "another target on '\(other)' beside it"
                )
            }
        }
        guard let expect = record["expect"], let text = expect.text else { return }
        do {
            let expression = try TargetExpression(text, metricUnit: definition.unit)
            checkStatistic(expression.statistic, record, expect)
        } catch {
            var location = expect.location
            // The opening quote of a quoted expression comes first.
            let isQuoted = report.isQuote(at: location)
            location.column += isQuoted ? 1 : 0
            report.add(error, at: location, path: expect.path)
        }
    }

    private mutating func checkStatistic(
        _ statistic: Target.Statistic,
        _ record: CheckedRecord,
        _ expect: CheckedValue
    ) {
        let names = TargetExpression.statisticNames
        if statistic.comparesVariants, !record.has("compare") {
            add(
                .conflict,
                expect,
                "'\(statistic)' compares two variants",
                expected: "compare: [A, B] in the same target"
            )
        } else if !statistic.comparesVariants, record.has("compare") {
            add(
                .conflict,
                expect,
                "'\(statistic)' says nothing about two variants",
                expected: names.suffix(3).joined(separator: ", ")
            )
        }
    }

    /// The target of a record that has been checked.
    func target(_ record: CheckedRecord) -> Target? {
        guard let name = record.text("metric"), let definition = catalogue[name],
            let text = record.text("expect"),
            let expression = try? TargetExpression(text, metricUnit: definition.unit)
        else { return nil }
        let compare = record.list("compare").compactMap(\.text)
        let subject: Target.Subject =
            if compare.count == 2 {
                .compare(compare[0], compare[1])
            } else if let variant = record.text("variant") {
                .variant(variant)
            } else {
                .everyVariant
            }
        return Target(
            metric: name,
            statistic: expression.statistic,
            comparison: expression.comparison,
            threshold: expression.threshold,
            unit: expression.unit,
            subject: subject,
            link: record.text("link"),
            region: record.text("region"),
            phase: record.text("phase"),
            transfer: record.text("transfer"),
            confidence: record.share("confidence")
        )
    }
}
