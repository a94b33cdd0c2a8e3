import Foundation
import LinkEmulator
import NetworkModel
public import Scenarios
public import SocketEnvironment
import Units

extension EmulatorProgram {
    /// Emulates a scenario's links for programs that somebody else starts, until standard input ends.
    ///
    /// Prints a line a node, `node NUMBER REGION ADDRESS NAMESPACE`, once packets pass; a program enters with
    /// `nsenter --net=NAMESPACE`. At the end a line says how exact the links were, `delay-error-ms P99` and
    /// `unintended-loss-percent`. Faults of the scenario do not happen.
    ///
    /// - Throws: why the links cannot be had.
    public static func hold(_ scenario: Scenario) throws(SocketFailure) {
        let network: EmulatedNetwork
        do throws(EmulatorFailure) {
            network = try EmulatedNetwork(
                NetworkModel.Topology(scenario, seed: scenario.seed),
                seed: scenario.seed
            )
            try network.begin(origin: MonotonicClock.nanoseconds)
        } catch {
            throw SocketFailure("links cannot be emulated: \(error.description)")
        }
        let places = zip(network.addresses, network.namespaces)
        for (node, (address, namespace)) in places.enumerated() {
            let region = scenario.topology.region(of: NodeID(UInt32(node)))
            let name = scenario.topology.regions[Int(region.rawValue)].name
            say("node \(node) \(name) \(address) \(namespace)")
        }
        while readLine() != nil {}
        let report = network.report()
        network.stop()
        let percentile = report.errors.microseconds(0.99).map { "\(Double($0) / 1000)" } ?? "-"
        say("delay-error-ms \(percentile)")
        say("unintended-loss-percent \(report.unintendedLoss * 100)")
    }

    private static func say(_ line: String) {
        FileHandle.standardOutput.write(Data("\(line)\n".utf8))
    }
}
