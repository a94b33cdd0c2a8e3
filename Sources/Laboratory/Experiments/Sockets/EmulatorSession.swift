import LinkEmulator
import LinkModel
import Measurements
import NetworkModel
import Scenarios
import SocketEnvironment
import Units

/// The emulator of one replication, as the laboratory holds it.
final class EmulatorSession {
    private let handle: AgentHandle
    private let answers: Mailbox<EmulatorAnswer>
    /// By node.
    let namespaces: [String]
    let addresses: [String]

    /// Whether the scenario's links could be made.
    enum Start {
        case shaped(EmulatorSession)
        /// Why not; the run goes over the loopback interface.
        case unshaped(String)
    }

    static func start(
        _ setting: ReplicationSetting,
        scenarioPath: String,
        cross: CrossEnds,
        launch: () throws -> AgentHandle
    ) throws -> Start {
        let handle = try launch()
        let answers = Mailbox<EmulatorAnswer>()
        handle.listen(as: EmulatorAnswer.self) { answer in
            answers.put(.init(node: 0, incarnation: 0, message: answer))
        }
        handle.order(
            .configure(
                EmulatorAssignment(
                    scenarioPath: scenarioPath,
                    variant: setting.variant.name,
                    seed: setting.seed,
                    cross: cross.places
                )
            )
        )
        let deadline = MonotonicClock.nanoseconds + 30_000_000_000
        switch answers.take(before: deadline)?.message {
        case .ready(let namespaces, let addresses)?:
            guard namespaces.count == setting.scenario.topology.nodeCount + cross.count,
                addresses.count == namespaces.count
            else { throw SocketFailure("the emulator made networks for other nodes") }
            return .shaped(EmulatorSession(handle, answers, namespaces, addresses))
        case .unavailable(let reason)?:
            handle.finish()
            return .unshaped(reason)
        case .failed(let reason)?:
            handle.finish()
            throw SocketFailure("the emulator: \(reason)")
        case .report?, nil:
            handle.kill()
            throw SocketFailure("the emulator was not ready within 30 s")
        }
    }

    private init(
        _ handle: AgentHandle,
        _ answers: Mailbox<EmulatorAnswer>,
        _ namespaces: [String],
        _ addresses: [String]
    ) {
        self.handle = handle
        self.answers = answers
        self.namespaces = namespaces
        self.addresses = addresses
    }

    func begin(origin: Int64) { handle.order(.begin(origin: origin)) }

    /// Carries out the change at this position of the fault timeline.
    func change(_ position: Int) { handle.order(.change(position)) }

    /// What the links did, and until when.
    func report() throws -> (report: EmulatorReport, time: Instant) {
        handle.order(.report)
        let deadline = MonotonicClock.nanoseconds + 10_000_000_000
        switch answers.take(before: deadline)?.message {
        case .report(let report, let nanoseconds)?:
            return (report, Instant(nanoseconds: nanoseconds))
        case .failed(let reason)?, .unavailable(let reason)?:
            throw SocketFailure("the emulator: \(reason)")
        case .ready?, nil:
            throw SocketFailure("the emulator ended before the run did")
        }
    }

    func end() {
        handle.order(.stop)
        handle.finish()
    }
}
