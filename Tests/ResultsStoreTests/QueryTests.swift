import Foundation
import Measurements
import ResultsStore
import Scenarios
import Statistics
import Testing
import Units

/// Goal: the SQL printed behind a figure gives that figure, by way of an index; queries of users
/// only read.
/// Method: the texts are run on archives with known values and compared with the laboratory's own
/// statistics; the query plan is searched for scans.
@Suite struct QueryTests {
    private let times: [(dwcp: Double, baseline: Double)] = [
        (2.0, 6.1), (2.2, 6.4), (1.9, 6.0), (2.05, 6.6),
    ]

    private func archive(_ folder: Folder) throws -> ResultsArchive {
        let store = try ResultsArchive(path: folder.file("r.sqlite"))
        for (seed, time) in times.enumerated() {
            try store.record(
                Archives.record("dwcp", seed: UInt64(seed), time: time.dwcp),
                in: Archives.plan
            )
            try store.record(
                Archives.record("baseline", seed: UInt64(seed), time: time.baseline),
                in: Archives.plan
            )
        }
        var failed = Archives.record("dwcp", seed: 99, time: 1_000)
        failed.outcome = .failed(message: "trap")
        try store.record(failed, in: Archives.plan)
        return store
    }

    private func target(
        _ metric: String,
        _ statistic: Target.Statistic,
        link: String? = nil,
        transfer: String? = nil
    ) -> Target {
        Target(
            metric: metric,
            statistic: statistic,
            comparison: .greater,
            threshold: 1,
            unit: .factor,
            subject: .variant("dwcp"),
            link: link,
            region: nil,
            transfer: transfer,
            confidence: Ratio(0.95)
        )
    }

    private func figure(
        _ store: ResultsArchive,
        _ target: Target,
        _ subject: Target.Subject
    ) throws -> [Double] {
        let query = FigureQuery(target, subject: subject, plan: Archives.plan.identity)
        let result = try store.query(query.sql)
        try #require(result.rows.count == 1)
        return result.rows[0].compactMap { $0.flatMap(Double.init) }
    }

    @Test func figuresComeOutOfTheirSQL() throws {
        let folder = try Folder()
        let store = try archive(folder)
        let dwcp = Target.Subject.variant("dwcp")
        let own = times.map(\.dwcp)
        let mean = try figure(store, target("migration-time", .mean), dwcp)
        #expect(abs(mean[0] - own.reduce(0, +) / 4) < 1e-12 && mean[1] == 4)
        #expect(try figure(store, target("migration-time", .min), dwcp) == [1.9, 4])
        #expect(try figure(store, target("migration-time", .max), dwcp) == [2.2, 4])
        #expect(try figure(store, target("downtime", .count), dwcp) == [4, 4])
        let rate = try figure(store, target("downtime", .rate), dwcp)
        #expect(abs(rate[0] - 4 / 61.5) < 1e-12)
        let link = target("goodput", .mean, link: "us-east→eu-west")
        // The stored figure carries a region too, which the target does not ask for.
        #expect(try figure(store, link, dwcp).last == 0)
    }

    // Transfers that share a link, and what all of them made of it: each is found by what names it alone.
    @Test func transfersAreToldApart() throws {
        let folder = try Folder()
        let store = try ResultsArchive(path: folder.file("r.sqlite"))
        let wan = Label("link", "wan")
        for seed in 0..<2 as Range<UInt64> {
            var run = Archives.record("dwcp", seed: seed)
            run.metrics = [
                MetricValue("goodput", 10, labels: [wan, Label("transfer", "one")], bound: nil),
                MetricValue("goodput", 20, labels: [wan, Label("transfer", "two")], bound: nil),
                MetricValue(
                    "goodput",
                    40,
                    labels: [Label("link", "lan"), Label("transfer", "own")],
                    bound: nil
                ),
                MetricValue("utilisation", 90, labels: [wan], bound: nil),
                MetricValue("cpu-per-gb", 3, labels: [Label("transfer", "own")], bound: nil),
                MetricValue(
                    "cpu-per-gb",
                    1,
                    labels: [Label("region", "a"), Label("transfer", "own")],
                    bound: nil
                ),
            ]
            try store.record(run, in: Archives.plan)
        }
        func mean(_ target: Target) throws -> [Double] {
            try figure(store, target, .variant("dwcp"))
        }
        #expect(try mean(target("goodput", .mean, transfer: "one")) == [10, 2])
        #expect(try mean(target("goodput", .mean, transfer: "two")) == [20, 2])
        #expect(try mean(target("goodput", .mean, link: "wan", transfer: "two")) == [20, 2])
        #expect(try mean(target("goodput", .mean, link: "lan")) == [40, 2])
        #expect(try mean(target("utilisation", .mean, link: "wan")) == [90, 2])
        #expect(try mean(target("goodput", .mean, link: "wan")) == [0])
        #expect(try mean(target("goodput", .mean)) == [0])
        #expect(try mean(target("cpu-per-gb", .mean)) == [3, 2])
        #expect(try mean(target("cpu-per-gb", .mean, transfer: "own")) == [3, 2])
    }

    @Test func percentilesComeOutOfTheirSQL() throws {
        let folder = try Folder()
        let store = try archive(folder)
        for percent in [50.0, 90, 99] {
            let row = try figure(
                store,
                target("downtime", .percentile(percent)),
                .variant("dwcp")
            )
            let one = [0.1 + 0.2, 470, 1e-300, 1 / 3].sorted()
            let all = Array(repeating: one, count: 4).flatMap(\.self).sorted()
            let own = Quantile.interpolated(sorted: one, probability: percent / 100)
            let pooled = Quantile.interpolated(sorted: all, probability: percent / 100)
            #expect(abs(row[0] - own) < 1e-9)
            #expect(abs(row[1] - pooled) < 1e-9)
            #expect(row[2] == 16)
        }
    }

    @Test func comparisonsComeOutOfTheirSQL() throws {
        let folder = try Folder()
        let store = try archive(folder)
        let pair = Target.Subject.compare("dwcp", "baseline")
        let comparison = PairedComparison(
            first: times.map(\.baseline),
            second: times.map(\.dwcp)
        )
        let expected = try #require(comparison.ratio(confidence: 0.95)).value
        let speedup = try figure(store, target("migration-time", .speedup), pair)
        #expect(abs(speedup[0] - expected) < 1e-12 && speedup[1] == 4)
        let ratio = try figure(store, target("migration-time", .ratio), pair)
        #expect(abs(ratio[0] - 1 / expected) < 1e-12)
        let difference = try figure(store, target("migration-time", .difference), pair)
        #expect(abs(difference[0] + comparison.difference(confidence: 0.95).value) < 1e-12)
    }

    @Test func comparisonUsesIndexesOnly() throws {
        let folder = try Folder()
        let store = try archive(folder)
        let query = FigureQuery(
            target("migration-time", .speedup),
            subject: .compare("dwcp", "baseline"),
            plan: Archives.plan.identity
        )
        let steps = try store.query("EXPLAIN QUERY PLAN " + query.sql).rows
            .compactMap { $0.last ?? nil }
        let scans = steps.filter { step in
            ["plan", "run", "figure", "metric_value", "other"].contains {
                step.hasPrefix("SCAN \($0)")
            }
        }
        #expect(scans.isEmpty, "\(steps)")
        // Figures are looked up run by run, however many other plans measured the same metric.
        let figures = steps.filter { $0.hasPrefix("SEARCH figure") }
        #expect(figures.count == 2 && figures.allSatisfy { $0.contains("run_id=?") })
        #expect(steps.contains { $0.contains("USING INDEX") || $0.contains("PRIMARY KEY") })
    }

    @Test func aThousandRunsStaySmallAndComparable() throws {
        let folder = try Folder()
        let path = folder.file("r.sqlite")
        let store = try ResultsArchive(path: path)
        for seed in 0..<500 as Range<UInt64> {
            for variant in ["dwcp", "baseline"] {
                try store.record(
                    Archives.record(variant, seed: seed, time: 2 + Double(seed % 7)),
                    in: Archives.plan
                )
            }
        }
        #expect(try store.completedRuns(of: Archives.plan).count == 1_000)
        let rows = try figure(
            store,
            target("migration-time", .speedup),
            .compare("dwcp", "baseline")
        )
        #expect(rows == [1, 500])
        let pages = try store.query(
            "SELECT page_count * page_size FROM pragma_page_count, pragma_page_size"
        )
        let bytes = try #require(pages.rows[0][0].flatMap(Int.init))
        // 5 GiB for 100,000 runs.
        #expect(bytes / 1_000 < 5 << 30 / 100_000)
    }

    @Test func queriesOnlyRead() throws {
        let folder = try Folder()
        let store = try archive(folder)
        for sql in [
            "DELETE FROM run", "INSERT INTO fact VALUES (1, 9, 'a', 'b')", "DROP TABLE run",
            "PRAGMA user_version = 9", "SELECT 1; DELETE FROM run", "VACUUM", "SELECT nonsense",
            "ATTACH DATABASE '\(folder.file("new.sqlite"))' AS other", "",
        ] {
            #expect(throws: StoreError.self, "\(sql)") { try store.query(sql) }
        }
        #expect(try store.query("SELECT count(*) FROM run").rows == [["9"]])
        #expect(!FileManager.default.fileExists(atPath: folder.file("new.sqlite")))
        let cut = try store.query("SELECT seed, NULL AS none, buckets FROM run, series", limit: 3)
        #expect(cut.columns == ["seed", "none", "buckets"])
        #expect(cut.isTruncated && cut.rows.count == 3)
        #expect(cut.rows[0][1] == nil && cut.rows[0][2]!.hasSuffix("bytes>"))
    }
}
