import Determinism
import Echoing
import Foundation
import InteractionScripts
import Machines
import Testing
import Units

private let client = EchoTheatre.client
private let server = EchoTheatre.server

private func plan(pings: UInt64 = 2, streamBytes: Int = 0, attempts: UInt32 = 3) -> EchoPlan {
    EchoPlan(
        server: server,
        pings: pings,
        payloadBytes: 8,
        spacing: .milliseconds(10),
        timeout: .milliseconds(50),
        attempts: attempts,
        streamBytes: streamBytes,
        streams: streamBytes > 0 ? 1 : 0
    )
}

// Goal: each step gives exactly the actions the protocol's table says.
// Method: one machine, one input, the whole action list.
@Suite struct EchoStepTests {
    private func serverMachine(recovered: [EchoRecord] = []) -> Echo {
        .server(Birth(node: server, incarnation: 0, recovered: recovered, seed: 1))
    }

    private func actions(_ machine: inout Echo, _ input: Input<Echo>) -> [Action<Echo>] {
        var actions = Actions<Echo>()
        machine.step(input, at: .zero, into: &actions)
        return actions.elements
    }

    @Test func aNewNumberIsWrittenBeforeItIsAnswered() {
        var machine = serverMachine()
        let first = actions(&machine, .received(.ping(sequence: 7, payload: [1]), from: client))
        guard case .persist(let records, let id)? = first.first, first.count == 1 else {
            Issue.record("expected one write, found \(first)")
            return
        }
        #expect(records == [EchoRecord(client: client, sequence: 7)])
        let second = actions(&machine, .persisted(id))
        guard case .send(let answer, to: client)? = second.first, second.count == 1 else {
            Issue.record("expected one answer, found \(second)")
            return
        }
        #expect(answer == .pong(sequence: 7, served: 1, payload: [1]))
    }

    @Test func aRememberedNumberIsAnsweredAtOnce() {
        var machine = serverMachine(recovered: [EchoRecord(client: client, sequence: 7)])
        let found = actions(&machine, .received(.ping(sequence: 7, payload: []), from: client))
        guard case .send(.pong(7, 1, _), to: client)? = found.first, found.count == 1 else {
            Issue.record("expected one answer, found \(found)")
            return
        }
    }

    @Test func aNumberOnItsWayToTheDiskIsNotWrittenAgain() {
        var machine = serverMachine()
        _ = actions(&machine, .received(.ping(sequence: 7, payload: []), from: client))
        let again = actions(&machine, .received(.ping(sequence: 7, payload: []), from: client))
        #expect(again.isEmpty)
    }

    @Test func aStreamBeyondTheLimitIsReset() {
        var machine = serverMachine()
        let stream = StreamID(opener: client, number: 0)
        _ = actions(&machine, .streamOpened(stream, peer: client))
        let flood = [UInt8](repeating: 0, count: Echo.streamLimit + 1)
        let found = actions(&machine, .readable(stream, flood[...]))
        guard case .reset(stream)? = found.first, found.count == 1 else {
            Issue.record("expected a reset, found \(found)")
            return
        }
    }
}

// Goal: the stories of the protocol read as a person would tell them.
// Method: text files in `Scripts`, played on a stage where nothing moves by itself.
@Suite struct EchoScriptTests {
    @Test func scripts() throws {
        let folder = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "Scripts")
        let scripts = try InteractionScript.load(folder: folder)
        #expect(scripts.count >= 3)
        for script in scripts {
            let theatre = EchoTheatre(plan: plan())
            let differences = script.differences { command in
                play(command, on: theatre)
                return theatre.takeLog()
            }
            for difference in differences { Issue.record("\(difference)") }
        }
    }

    private func play(_ command: String, on theatre: EchoTheatre) {
        let words = command.split(separator: " ")
        let nodes = words.compactMap { ["client": client, "server": server][String($0)] }
        switch words[0] {
        case "start": theatre.start(nodes[0])
        case "crash": theatre.crash(nodes[0])
        case "deliver": theatre.deliver(from: nodes[0], to: nodes[1])
        case "lose": theatre.deliver(from: nodes[0], to: nodes[1], losing: true)
        case "durable": theatre.completeWrite(nodes[0])
        case "time": theatre.advance(to: .zero + .milliseconds(Int64(words[1])!))
        default: Issue.record("unknown command '\(command)'")
        }
    }
}

// Goal: whatever is lost, repeated, reordered or crashes, no answered number is forgotten, payloads
// come back unchanged, and a client that may retry for ever gets every answer.
// Method: 400 seeded runs in which a random waiting thing happens next, then a calm end.
@Suite struct EchoPropertyTests {
    @Test func surviveEverySchedule() {
        for seed in 0..<400 as Range<UInt64> {
            var random = SeededRandom(stateFrom: seed)
            let theatre = EchoTheatre(plan: plan(pings: 12, attempts: .max))
            var log: [String] = []
            theatre.start(server)
            theatre.start(client)
            for _ in 0..<300 { disturb(theatre, &random) }
            if theatre.machines[server] == nil { theatre.start(server) }
            for _ in 0..<2_000 { calm(theatre) }
            log += theatre.takeLog()
            #expect(log.filter { $0.contains("reports answer") }.count == 12, "seed \(seed)")
            #expect(!log.contains { $0.contains("forgot") || $0.contains("different") })
            #expect(log.filter { $0.contains("reports done") }.count == 1, "seed \(seed)")
        }
    }

    private func disturb(_ theatre: EchoTheatre, _ random: inout SeededRandom) {
        switch random.below(8) {
        case 0, 1, 2:
            guard !theatre.messages.isEmpty else { return }
            let index = Int(random.below(UInt64(theatre.messages.count)))
            let entry = theatre.messages[index]
            if random.chance(Ratio(0.2)) {
                theatre.messages.append(entry)
            } else {
                theatre.messages.remove(at: index)
            }
            if random.chance(Ratio(0.7)) {
                theatre.step(entry.to, .received(entry.message, from: entry.from))
            }
        case 3, 4:
            if !theatre.writes.isEmpty { theatre.completeWrite(theatre.writes[0].node) }
        case 5, 6:
            theatre.advance(to: theatre.now + .milliseconds(Int64(random.below(30))))
        default:
            if theatre.machines[server] == nil {
                theatre.start(server)
            } else if random.chance(Ratio(0.3)) {
                theatre.crash(server)
            }
        }
    }

    private func calm(_ theatre: EchoTheatre) {
        if let entry = theatre.messages.first {
            theatre.messages.removeFirst()
            theatre.step(entry.to, .received(entry.message, from: entry.from))
        } else if let entry = theatre.writes.first {
            theatre.completeWrite(entry.node)
        } else if let next = theatre.timers.map(\.at).min() {
            theatre.advance(to: max(next, theatre.now))
        }
    }
}

// Goal: a client that starts again is not mistaken for the one before it. Method: both crash in turn;
// the reborn client's answers must never look as if the server had forgotten something.
@Suite struct EchoRestartTests {
    @Test func aRebornClientUsesNewNames() {
        let theatre = EchoTheatre(plan: plan(pings: 3))
        theatre.start(server)
        for _ in 0..<3 {
            theatre.start(client)
            theatre.advance(to: theatre.now + .milliseconds(30))
            for _ in 0..<40 {
                if let entry = theatre.messages.first {
                    theatre.messages.removeFirst()
                    theatre.step(entry.to, .received(entry.message, from: entry.from))
                } else if let write = theatre.writes.first {
                    theatre.completeWrite(write.node)
                }
            }
            theatre.crash(client)
        }
        let log = theatre.takeLog()
        #expect(log.filter { $0.contains("reports answer") }.count == 9, "\(log)")
        #expect(!log.contains { $0.contains("forgot") }, "\(log)")
    }
}

// Goal: no bytes from outside trap the decoders, and equal messages come back.
// Method: round trips and 100,000 seeded random or mutated inputs.
@Suite struct EchoWireTests {
    @Test func roundTripAndFuzz() throws {
        var random = SeededRandom(stateFrom: 4)
        for round in 0..<100_000 {
            let payload = (0..<random.below(12)).map { _ in UInt8(truncatingIfNeeded: random.next())
            }
            let message =
                random.chance(Ratio(0.5))
                ? EchoMessage.ping(sequence: random.next(), payload: payload[...])
                : .pong(sequence: random.next(), served: random.next(), payload: payload[...])
            var writer = WireWriter()
            message.encode(into: &writer)
            var bytes = writer.bytes
            if round % 2 == 0 {
                var reader = WireReader(bytes)
                #expect(try EchoMessage(from: &reader) == message)
            } else {
                bytes[Int(random.below(UInt64(bytes.count)))] ^= UInt8(1 + random.below(255))
                bytes = Array(bytes.prefix(Int(random.below(UInt64(bytes.count + 1)))))
                var reader = WireReader(bytes)
                _ = try? EchoMessage(from: &reader)
                var second = WireReader(bytes)
                _ = try? EchoRecord(from: &second)
            }
        }
    }
}
