import Foundation
import InteractionScripts
import Machines
import Migration
import StreamWorld
import Testing
import Transport
import Units

// Goal: the stories of the protocol read as a person would tell them.
// Method: text files in `Scripts`, played in a small world with a fixed delay of 10 ms each way and
// 80 Mbit/s; a job takes 1 ms. Node 0 sends, node 1 receives; times are the world's.
@Suite struct MigrationScriptTests {
    @Test func scripts() throws {
        let folder = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "Scripts")
        let scripts = try InteractionScript.load(folder: folder)
        #expect(scripts.count >= 4)
        for script in scripts {
            let theatre = MigrationTheatre()
            for difference in script.differences(run: theatre.play) {
                Issue.record("\(difference)")
            }
        }
    }
}

/// A small world that a script drives, told event by event.
private final class MigrationTheatre {
    private var world: StreamWorld<MigrationNode<ScriptedMemory>>
    private var memory = ScriptedMemory(initial: [])
    private var told = 0

    init() {
        var conditions = WorldConditions()
        conditions.delay = .milliseconds(10)...(.milliseconds(10))
        conditions.rate = .megabits(80)
        conditions.jobDelay = .milliseconds(1)...(.milliseconds(1))
        conditions.sliceLimit = 8_192
        world = StreamWorld(nodes: 2, seed: 1, conditions: conditions)
    }

    /// - `guest PAGES HOT PAUSE-US`: the memory to move; a hot page is written every pause.
    /// - `start NODE LIFE`, `crash NODE`, `migrate`, `run MS`, `break`: all streams die.
    /// - `compare`: whether the destination holds what was stopped.
    func play(_ command: String) -> [String] {
        let words = command.split(separator: " ").map(String.init)
        let numbers = words.dropFirst().compactMap { Int64($0) }
        switch words[0] {
        case "guest":
            memory = .busy(
                pages: Int(numbers[0]),
                hot: Int(numbers[1]),
                pause: .microseconds(numbers[2]),
                until: .zero + .seconds(2),
                seed: 1
            )
        case "start":
            let node = NodeID(UInt32(numbers[0]))
            let rule = ConvergenceRule(downtimeGoal: .milliseconds(10), roundLimit: 8)
            world.startNode(
                node,
                incarnation: UInt32(numbers[1]),
                migrationConfiguration(rule: rule)
            )
        case "crash": world.crash(NodeID(UInt32(numbers[0])))
        case "migrate":
            world.request(source, .migrate(MigrationOrder(memory: memory, to: destination)))
        case "run": world.run(until: world.now + .milliseconds(numbers[0]))
        case "break": for stream in world.medium.liveStreams { world.medium.breakStream(stream) }
        case "compare":
            let session = SessionID(sender: source, number: 0)
            let isIdentical = world.isIdentical(memory, session: session, at: destination)
            return [isIdentical ? "memory is identical" : "no memory, or a different one"]
        default: Issue.record("unknown command \(command)")
        }
        defer { told = world.events.count }
        return world.events[told...].compactMap { entry in
            describe(entry.event).map {
                "\(milliseconds(entry.at)) node \(entry.node.rawValue) \($0)"
            }
        }
    }

    private func milliseconds(_ time: Instant) -> String {
        "\(time.nanoseconds / 1_000_000) ms"
    }

    private func describe(_ event: MigrationEvent) -> String? {
        switch event {
        case .started(_, let destination, let pages): "sends \(pages) pages to \(destination)"
        case .round(_, let round):
            "round \(round.index): \(round.dirtyPages) pages"
                + (round.isStopAndCopy ? ", guest stopped" : "")
        case .paused(_, let reason): "stops the guest: \(reason)"
        case .verified(_, let pages, _): "verified \(pages) pages"
        case .running: "runs the guest"
        case .completed(_, let summary):
            "completed: \(summary.rounds) rounds, \(summary.stateBytes / 4_096) pages"
        case .resumedAtSource: "resumes the guest"
        case .failed(_, let failure): "failed: \(failure)"
        case .orderRefused: "refuses an order"
        case .streamLost: nil
        }
    }
}
