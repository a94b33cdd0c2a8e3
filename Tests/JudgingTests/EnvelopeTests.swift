import Judging
import Measurements
import Scenarios
import Testing
import Units

/// Goal: a GO needs links that were calibrated, unless the scenario says otherwise; what does not
/// depend on a simulated TCP needs nothing.
/// Method: one clearly passed target with every finding that an envelope can have.
@Suite struct EnvelopeTests {
    private static let far = LinkProfile(
        bitsPerSecond: 1e10,
        roundTripSeconds: 0.1,
        loss: 0,
        queueBytes: 1e8,
        flows: 4,
        congestion: "cubic"
    )

    private static func calibration(of profile: LinkProfile) -> Calibration {
        let figures = CalibrationCell.Figures(
            throughput: 1e7,
            roundTripMilliseconds: 50,
            replications: 1
        )
        return Calibration(
            measuredAt: "2026-11-28T17:00:00Z",
            kernel: "6.18",
            commit: "abc",
            isQuick: false,
            cells: [
                CalibrationCell(
                    profile: profile,
                    simulated: figures,
                    real: figures,
                    delayErrorMilliseconds: 0.1
                )
            ]
        )
    }

    private static func judgement(
        _ envelope: EnvelopeFinding?,
        metric: String = "utilisation",
        environment: EnvironmentKind = .simulated
    ) -> Judgement {
        var campaign = Campaigns.campaign(
            [Campaigns.target(metric, .mean, .greater, 50)],
            metric,
            Campaigns.values(around: 90, spread: 0.1),
            bound: Campaigns.fullLink,
            environment: environment
        )
        campaign.envelope = envelope
        return Judge().judge(campaign)
    }

    private static func finding(
        _ profile: LinkProfile?,
        features: [String] = [],
        models: [String] = [],
        isIgnored: Bool = false
    ) -> EnvelopeFinding {
        EnvelopeFinding(
            [LinkCase("dwcp", far)],
            features: features,
            models: models,
            in: profile.map(calibration),
            isIgnored: isIgnored
        )
    }

    @Test func insideAGoIsAGo() {
        let judgement = Self.judgement(Self.finding(Self.far))
        #expect(judgement.verdict.word == .go)
        let text = VerdictBlock(judgement, isColoured: false).text
        #expect(text.contains("█ ENVELOPE  inside calibration"))
    }

    @Test func reasonsThatSeveralShareAreSaidOnce() {
        let finding = EnvelopeFinding(
            [LinkCase("one", Self.far), LinkCase("two", Self.far)],
            in: Self.calibration(
                of: {
                    var near = Self.far; near.bitsPerSecond = 1e8; return near
                }()
            ),
            isIgnored: false
        )
        #expect(finding.reasons.count == 1)
        #expect(finding.reasons.first?.hasPrefix("one, two: rate") == true)
    }

    @Test func faultsThatMakeNoDifferenceAddNoReason() {
        var slower = Self.far
        slower.bitsPerSecond = 1e8
        var cases = [LinkCase("dwcp", Self.far)]
        for loss in [0.5, 0.4] {
            var profile = Self.far
            profile.loss = loss
            cases.append(LinkCase("dwcp", profile, circumstance: "during net.loss"))
        }
        let anyway = EnvelopeFinding(cases, in: Self.calibration(of: slower), isIgnored: false)
        #expect(anyway.reasons.count == 1)
        #expect(anyway.reasons[0].hasPrefix("dwcp: rate 10000 Mbit/s"))
        let outside = EnvelopeFinding(cases, in: Self.calibration(of: Self.far), isIgnored: false)
        #expect(outside.reasons.count == 1)
        #expect(outside.reasons[0].hasPrefix("dwcp during net.loss: loss per product"))
    }

    /// The number that a transport starts with may be calibrated, and what it comes to may not.
    @Test func streamsThatWereUsedCount() throws {
        func judgement(_ counts: [Double]?, choosesControl: Bool = false) -> Judgement {
            var campaign = Campaigns.campaign(
                [Campaigns.target("utilisation", .mean, .greater, 50)],
                "utilisation",
                Campaigns.values(around: 90, spread: 0.1),
                bound: Campaigns.fullLink
            )
            let choice = LinkCase.StreamChoice(
                variant: "dwcp",
                link: "a->b",
                transfers: 1,
                choosesControl: choosesControl
            )
            campaign.envelope = EnvelopeFinding(
                [LinkCase("dwcp", Self.far, choice: choice)],
                in: Self.calibration(of: Self.far),
                isIgnored: false
            )
            guard let counts else { return Judge().judge(campaign) }
            for index in campaign.runs.indices {
                campaign.runs[index].series.append(
                    Series(
                        name: "streams",
                        unit: "streams",
                        labels: [],
                        kind: .level,
                        start: .zero,
                        width: .seconds(1),
                        values: counts
                    )
                )
            }
            return Judge().judge(campaign)
        }
        let unknown = judgement(nil)
        #expect(unknown.verdict.word == .go)
        #expect(
            unknown.envelope?.notes == [
                "dwcp: automatic streams count with the 4 that they start with"
            ]
        )
        let same = judgement([4, 4])
        #expect(same.verdict.word == .go)
        #expect(same.envelope?.notes == ["dwcp: 4 to 4 automatic streams were used"])
        let more = judgement([4, 9.4, 6])
        #expect(more.verdict.word == .inconclusive)
        #expect(more.envelope?.notes == ["dwcp: 4 to 9 automatic streams were used"])
        #expect(
            more.envelope?.reasons == [
                "dwcp with the streams that it chose: flows 9 is above the most of 4"
            ]
        )
        // Which control had how many is not known then, so it is only told.
        let either = judgement([4, 9], choosesControl: true)
        #expect(either.verdict.word == .go)
        #expect(either.envelope?.notes.count == 1)
    }

    @Test func outsideOrWithoutCalibrationThereIsNone() throws {
        var near = Self.far
        near.bitsPerSecond = 1e8
        for (finding, words) in [
            (Self.finding(near), "outside calibration"), (Self.finding(nil), "not calibrated"),
            (Self.finding(Self.far, features: ["a rate that varies"]), "outside calibration"),
        ] {
            let judgement = Self.judgement(finding)
            #expect(judgement.verdict.word == .inconclusive)
            #expect(judgement.targets[0].status == .passed)
            let text = VerdictBlock(judgement, isColoured: false).text
            #expect(text.contains("█ ENVELOPE  \(words)"))
            // What decided comes first, not the target that was met.
            #expect(try #require(judgement.verdict.sentences.first).contains("GO"))
            #expect(judgement.verdict.sentences.count == 2)
        }
    }

    /// Inside the box of the calibrated profiles or not: a model that was never compared is none.
    @Test func anUncalibratedModelGivesNone() throws {
        let models = ["RDMA link model is uncalibrated"]
        let judgement = Self.judgement(Self.finding(Self.far, models: models))
        #expect(judgement.verdict.word == .inconclusive)
        #expect(judgement.targets[0].status == .passed)
        let text = VerdictBlock(judgement, isColoured: false).text
        #expect(text.contains("█ ENVELOPE  uncalibrated"))
        let reason = try #require(judgement.verdict.sentences.first)
        #expect(reason.contains("RDMA link model is uncalibrated"))
        let ignored = Self.finding(Self.far, models: models, isIgnored: true)
        #expect(Self.judgement(ignored).verdict.word == .go)
        #expect(try #require(ignored.notice).contains("uncalibrated"))
    }

    @Test func aScenarioMayIgnoreItAndSaysSo() throws {
        let finding = Self.finding(nil, isIgnored: true)
        let judgement = Self.judgement(finding)
        #expect(judgement.verdict.word == .go)
        let notice = try #require(finding.notice)
        #expect(notice.hasPrefix("The scenario ignores"))
        #expect(VerdictBlock(judgement, isColoured: false).text.hasPrefix(notice))
        #expect(Self.finding(Self.far, isIgnored: true).notice == nil)
    }

    @Test func itIsAskedOnlyWhereASimulatedNetworkDecides() {
        let finding = Self.finding(nil)
        let judgement = Self.judgement(finding, metric: "cpu-share")
        #expect(judgement.envelope == nil)
    }
}
