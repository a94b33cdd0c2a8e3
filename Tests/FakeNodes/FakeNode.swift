import Effects
import Foundation
public import Initialization
public import RealNodes
public import Units

/// A shell script that stands for the daemon: it tells reports, serves and ends as it is told.
public enum FakeNode {
    public static let graph = [
        ComponentSpecification(name: "first", phase: .pre),
        ComponentSpecification(name: "second", phase: .core, dependencies: ["first"]),
    ]

    /// A boot of both components, as reports: READY 10 ms after the origin.
    public static let boot = boot()

    /// - Parameters:
    ///   - origin: the monotonic clock at the node's time zero.
    ///   - cpu: what the node says that it has used when it is READY.
    public static func boot(
        origin: Int64 = 0,
        cpu: Interval = .zero,
        memory: ByteCount = .kibibytes(64)
    ) -> [NodeReport] {
        [
            .started(process: 0, origin: origin),
            .graph(graph.map { ComponentPlace($0) }),
            event(0, .bootStarted(order: .dependencyReady), cpu: 1),
            event(1, .phaseStarted(.pre), cpu: 1),
            event(1, .attemptStarted(component: "first", attempt: 1), cpu: 1),
            .reached(step: "first.file", side: .before, time: .zero),
            .reached(step: "first.file", side: .after, time: .zero),
            event(4, .componentReady(component: "first", fallback: nil), cpu: 3),
            event(4, .phaseEnded(.pre), cpu: 3),
            event(4, .attemptStarted(component: "second", attempt: 1), cpu: 3),
            event(9, .componentReady(component: "second", fallback: nil), cpu: 4),
            event(10, .ready(degraded: []), cpu: 4),
            .usage(
                ProcessUsage(
                    cpu: cpu,
                    residentMemory: memory,
                    peakResidentMemory: memory,
                    openFiles: 5
                )
            ),
            event(11, .bootCompleted(degraded: []), cpu: 4),
        ]
    }

    public static func event(_ time: Int64, _ kind: LifecycleEvent.Kind, cpu: Int64) -> NodeReport {
        let event = LifecycleEvent(time: .zero + .milliseconds(time), kind: kind)
        return .lifecycle(event, cpu: .milliseconds(cpu))
    }

    /// Shell commands that tell `reports`.
    public static func tell(_ reports: [NodeReport]) throws -> String {
        try reports.map { report in
            let line = String(decoding: try JSONEncoder().encode(report), as: UTF8.self)
            return "echo '\(line)' >&3"
        }.joined(separator: "\n")
    }

    /// Tells `reports`, then serves until SIGTERM and ends with `code`.
    public static func serve(_ reports: [NodeReport] = boot, code: Int32 = 0) throws -> String {
        """
        ended() {
        \(try tell([.ended(.stopped(left: []))]))
        exit \(code)
        }
        trap ended TERM
        \(try tell(reports))
        while :; do sleep 0.01; done
        """
    }

    /// A command that runs `script`; `$data` names the folder of the node that it stands for.
    public static func program(_ script: String) -> [String] {
        ["/bin/sh", "-c", "data=$6\nmkdir -p $data\n\(script)\n", "fake-node"]
    }

    /// A node whose program is `script`.
    public static func node(_ script: String) throws -> RealNode {
        try RealNode(program: program(script))
    }
}
