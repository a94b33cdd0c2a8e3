import Judging
import Measurements
import Scenarios
import Testing

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
            [("dwcp", far)],
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
            [("one", Self.far), ("two", Self.far)],
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
