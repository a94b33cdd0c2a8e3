import Experiments
import Foundation
import Judging
import Measurements
import Reporting
import ResultsStore
import Scenarios
import Units

/// What a report says besides the figures: where, with which models, from which queries.
struct ReportText {
    private let scenario: Scenario
    private let environment: EnvironmentKind

    init(_ scenario: Scenario, environment: EnvironmentKind) {
        self.scenario = scenario
        self.environment = environment
    }

    func write(
        campaign: Campaign,
        judgement: Judgement,
        provenance: Provenance,
        plan: ArchivedPlan,
        replay: String,
        to path: String
    ) throws {
        let input = ReportInput(
            subtitle: subtitle,
            notices: [judgement.envelope?.notice].compactMap { $0 }
                + (campaign.isShaped || !scenario.workload.usesLinks ? [] : [ReportText.unshaped]),
            campaign: campaign,
            judgement: judgement,
            models: models(isShaped: campaign.isShaped) + ReportText.models(of: judgement.envelope),
            provenance: provenance,
            queries: judgement.targets.map { judged in
                ReportInput.FigureQuery(
                    figure: judged.title,
                    sql: FigureQuery(
                        judged.target,
                        subject: judged.subject,
                        plan: plan.identity
                    ).sql
                )
            },
            replay: environment == .simulated ? replay : nil
        )
        do throws(ReportError) {
            try Report.write(input, to: path)
        } catch {
            switch error {
            case .charts: throw CommandFailure.missing(error.description)
            case .file: throw CommandFailure(code: 74, message: error.description)
            }
        }
    }

    private static let unshaped =
        "Nodes ran on real sockets of one machine. The links had neither the rate nor the delay "
        + "nor the loss of the scenario, so targets that depend on a network are not judged."

    var subtitle: String {
        if case .boot(let boot) = scenario.workload {
            let nodes = boot.nodes(in: scenario.topology).count
            return "\(counted(nodes, "node")) booting, \(environment.rawValue)"
        }
        if case .requests(let requests) = scenario.workload {
            let groups = "\(counted(requests.groups, "group")) of \(requests.replicas) replicas"
            return "\(groups), \(what), \(environment.rawValue)"
        }
        let ends = scenario.workload.ends
        let regions = scenario.topology.regions
        let from = regions[Int(ends.first.rawValue)].name
        let to = regions[Int(ends.second.rawValue)].name
        return "\(from) → \(to), \(what), \(environment.rawValue)"
    }

    private var what: String {
        switch scenario.workload {
        case .echo(let echo): "\(echo.requests) requests a client"
        case .bulk(let bulk): "steady transfer, \(bulk.duration.measure) measured"
        case .transfer(let transfer): "\(transfer.amount) over ordinary streams"
        case .migration(let migration):
            "\(counted(migration.count, "migration")) of '\(migration.memory.dataset)'"
        case .boot(let boot): "boots within \(boot.deadline)"
        case .requests(let requests):
            "\(requests.load.rate.formatted(.number.grouping(.never))) "
                + (requests.load.rate == 1 ? "request" : "requests") + " a second"
                + (requests.groups > 1 ? " and group" : "")
        }
    }

    private var fluidLinks: [String] {
        let topology = scenario.topology
        return topology.links.filter { link in
            let roundTrip = topology.roundTrip(from: link.from, to: link.to)
            return scenario.isFluid(link.path, roundTrip: roundTrip)
        }.map(\.name)
    }

    func models(isShaped: Bool) -> [ReportInput.Model] {
        switch environment {
        case .simulated:
            if case .boot(let boot) = scenario.workload { return ReportText.models(of: boot) }
            var models = [
                ReportInput.Model(
                    name: "TCP",
                    assumption: "packet by packet, 1448 B segments in 1514 B on the wire; CUBIC "
                        + "(RFC 9438), NewReno or BBR version 1, SACK and RACK recovery; calibrated against Linux "
                        + "at 100 Mbit/s and 80 ms and over emulated links, see "
                        + "docs/tcp-calibration.md"
                ),
                ReportInput.Model(
                    name: "links",
                    assumption: "one queue a direction and region pair, drop-tail unless the "
                        + "scenario says otherwise; routes of one link; background load is a "
                        + "constant share that is served first, flows of cross-traffic are TCP's"
                ),
                ReportInput.Model(
                    name: "hardware",
                    assumption:
                        "work is charged by profile '\(scenario.hardware)': MB/s a core and "
                        + "kind of work, cores a node, disk writes and fsync"
                ),
            ]
            if !scenario.uncalibratedModels.isEmpty {
                models.append(
                    ReportInput.Model(
                        name: "RDMA links",
                        assumption: "uncalibrated: streams over reliable connections of RoCE "
                            + "version 2, a ring of credit for each pair of nodes, repetition from "
                            + "the first lost packet, pauses of priority flow control; no DCQCN"
                    )
                )
            }
            if !fluidLinks.isEmpty {
                models.append(
                    ReportInput.Model(
                        name: "fluid links",
                        assumption: "\(fluidLinks.joined(separator: ", ")): connections are rates "
                            + "under TCP's windows, sixteen ticks a round trip, not packets; goodput "
                            + "within 5 % of packets where the article of the network model says so"
                    )
                )
            }
            if case .migration = scenario.workload {
                models.append(
                    ReportInput.Model(
                        name: "guest memory",
                        assumption: "recorded snapshots walked forth and back at the captured gap; "
                            + "a page that differs between two snapshots changes once, at a fixed "
                            + "point of the gap"
                    )
                )
            }
            return models
        case .sockets:
            return [
                ReportInput.Model(
                    name: "network",
                    assumption: isShaped
                        ? "the kernel's TCP and UDP over links that the emulator makes of the same "
                            + "model as in simulation; the facts of the runs tell how exactly"
                        : "none: kernel TCP and UDP over the loopback interface, unshaped"
                )
            ]
        case .rdma:
            return [
                ReportInput.Model(
                    name: "network",
                    assumption: "none: streams over this machine's RDMA devices, messages over UDP "
                        + "on the loopback interface, unshaped"
                )
            ]
        }
    }
}

extension ReportText {
    /// Whether the links are such that the simulated TCP may be believed.
    private static func models(of envelope: EnvelopeFinding?) -> [ReportInput.Model] {
        guard let envelope else { return [] }
        let reasons = (envelope.reasons + envelope.notes).map { "; \($0)" }.joined()
        let ignored = envelope.isIgnored ? " (ignored by the scenario)" : ""
        let measure =
            if case .uncalibrated = envelope.place { "" } else { ", by the \(envelope.source)" }
        return [
            ReportInput.Model(
                name: "calibration envelope",
                assumption: "\(envelope.words)\(ignored)\(measure)\(reasons)"
            )
        ]
    }

    /// What simulated boots stand on.
    private static func models(of boot: Scenario.BootWorkload) -> [ReportInput.Model] {
        var models = [
            ReportInput.Model(
                name: "processors",
                assumption: "the cores of a node are shared equally by all components that compute "
                    + "(processor sharing); nothing else runs on the node"
            ),
            ReportInput.Model(
                name: "component times",
                assumption: "as the facts of the runs name them: from the plans, recorded in real "
                    + "boots, or assumed; all of a component's computing comes before its waiting"
            ),
        ]
        if case .node = boot.graph {
            models.append(
                ReportInput.Model(
                    name: "disk",
                    assumption: "in order, at the profile's speed, fsync included; a crash keeps, "
                        + "tears or loses what was not synced, by the seed"
                )
            )
        }
        if !boot.shared.isEmpty {
            models.append(
                ReportInput.Model(
                    name: "shared services",
                    assumption: "first come, first served; a client that gives up leaves its "
                        + "request behind"
                )
            )
        }
        return models
    }
}
