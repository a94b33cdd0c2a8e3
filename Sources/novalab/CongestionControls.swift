import LinkEmulator
import Scenarios
import SocketEnvironment

/// The congestion controls that the system gives connections of this process.
enum CongestionControls {
    /// By Linux's names.
    static let all = ["reno", "cubic", "bbr"]

    /// What a run on shaped sockets asks of the system and does not get; `nil` when it gets everything.
    /// Where links are not shaped, any control does: nothing of the network is judged.
    static func obstacle(_ scenario: Scenario) -> String? {
        var names: Set<String> = []
        for variant in scenario.variants {
            names.formUnion(self.names(of: variant.system.transport.congestion))
        }
        for traffic in scenario.crossTraffic { names.formUnion(self.names(of: traffic.congestion)) }
        let missing = names.filter { !SystemCongestionControl.isGiven($0) }.sorted()
        guard let name = missing.first, (try? EmulatedNetwork.probe()) != nil else { return nil }
        return """
            the system gives connections no congestion control '\(name)': load the module tcp_\(name), \
            or use simulated; 'novalab doctor' lists what is there
            """
    }

    private static func names(
        of congestion: Scenario.SystemConfiguration.Transport.Congestion
    ) -> [String] {
        switch congestion {
        case .newreno: ["reno"]
        case .cubic: ["cubic"]
        case .bbr: ["bbr"]
        case .automatic: ["cubic", "bbr"]
        }
    }
}
