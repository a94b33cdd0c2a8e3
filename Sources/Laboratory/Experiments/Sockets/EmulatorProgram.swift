import FaultInjection
import Foundation
import LinkEmulator
import NetworkModel
public import Scenarios
import SimulatedEnvironment
import SocketEnvironment
import Units

/// The process that emulates a scenario's links for the processes of its nodes: reads the laboratory's
/// orders from standard input and writes its answers to standard output.
///
/// It is a process of its own so that the laboratory's work never delays a packet, and so that its
/// namespaces end with it.
public enum EmulatorProgram {
    /// Serves one assignment until it is told to stop or standard input ends.
    ///
    /// - Parameter load: Reads and checks a scenario file.
    public static func run(load: (String) throws -> Scenario) throws {
        let output = OutputLines()
        var lines = LineReader(FileHandle.standardInput)
        guard case .configure(let assignment)? = lines.next(as: EmulatorOrder.self) else {
            throw SocketFailure(
                "an emulator is started by the laboratory, which first configures it"
            )
        }
        let scenario: Scenario
        do {
            scenario = try load(assignment.scenarioPath).drawn(seed: assignment.seed)
        } catch {
            output.send(EmulatorAnswer.failed("\(error)"))
            return
        }
        do throws(EmulatorFailure) {
            let system = scenario.variant(named: assignment.variant)?.system ?? scenario.system
            var topology = NetworkModel.Topology(scenario, seed: assignment.seed)
            let count = topology.nodes.count
            topology.nodes += assignment.cross.map { RegionID($0.region) }
            // Here they are processes.
            topology.crossTraffic = []
            let network = try EmulatedNetwork(topology, seed: assignment.seed) { node in
                let cross = Int(node.rawValue) - count
                return cross < 0
                    ? system.transport.usesCongestionNotification
                    : assignment.cross[cross].usesCongestionNotification
            }
            output.send(
                EmulatorAnswer.ready(
                    namespaces: network.namespaces,
                    addresses: network.addresses.map(\.description)
                )
            )
            let plan = FaultPlan(scenario, seed: assignment.seed)
            let changes = plan.changes { scenario.topology.linkID(from: $0.from, to: $0.to) }
            serve(network, changes, &lines, output)
        } catch {
            output.send(EmulatorAnswer.unavailable(error.description))
        }
    }

    private static func serve(
        _ network: EmulatedNetwork,
        _ changes: [SimulationPlan.ScheduledFault],
        _ lines: inout LineReader,
        _ output: OutputLines
    ) {
        var start: Int64 = 0
        while let order = lines.next(as: EmulatorOrder.self) {
            switch order {
            case .begin(let origin):
                start = origin
                do throws(EmulatorFailure) {
                    try network.begin(origin: origin)
                } catch {
                    output.send(EmulatorAnswer.failed(error.description))
                }
            case .change(let position):
                guard changes.indices.contains(position) else { continue }
                network.apply(changes[position].change, number: changes[position].number)
            case .report:
                let report = network.report()
                let time = MonotonicClock.nanoseconds - start
                output.send(EmulatorAnswer.report(report, nanoseconds: time))
            case .stop, .configure:
                network.stop()
                return
            }
        }
        network.stop()
    }
}
