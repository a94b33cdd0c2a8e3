import Foundation
import InteractionScripts
import Machines
import Testing
import Transport
import Units

// Goal: the stories of the protocol read as a person would tell them.
// Method: text files in `Scripts`, played on a stage where nothing moves by itself. A window of 4,096
// bytes, two streams, chunks of at most 1,000 bytes.
@Suite struct TransportScriptTests {
    @Test func scripts() throws {
        let folder = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "Scripts")
        let scripts = try InteractionScript.load(folder: folder)
        #expect(scripts.count >= 4)
        for script in scripts {
            var configuration = smallConfiguration(streams: 2, chunk: 1_000, window: 4_096)
            configuration.retryLimit = 2
            let theatre = TransportTheatre(configuration: configuration)
            let differences = script.differences { command in
                play(command, on: theatre)
                return theatre.takeLog()
            }
            for difference in differences { Issue.record("\(difference)") }
        }
    }

    private func play(_ command: String, on theatre: TransportTheatre) {
        let words = command.split(separator: " ").map(String.init)
        let number = words.count > 1 ? Int(words[1]) ?? 0 : 0
        switch words[0] {
        case "start": theatre.toSender(.started)
        case "time": theatre.now = .zero + .milliseconds(Int64(number))
        case "accept":
            theatre.toReceiver(.streamOpened(theatre.stream(number), peer: NodeID(0)))
            theatre.toReceiver(.writable(theatre.stream(number), credit: 10_000))
            theatre.toSender(.streamOpened(theatre.stream(number), peer: NodeID(1)))
        case "credit":
            theatre.toSender(.writable(theatre.stream(number), credit: Int(words[2]) ?? 0))
        case "enqueue":
            let payload = Payload([UInt8](repeating: 7, count: number))
            theatre.toSender(.requested(.enqueue(payload)))
        case "finish": theatre.toSender(.requested(.finish))
        case "abort": theatre.toSender(.requested(.abort))
        case "consume": theatre.toReceiver(.requested(.consumed(number)))
        case "tell": theatre.toSender(.requested(.note([1, 2, 3])))
        case "answer": theatre.toReceiver(.requested(.note([1, 2])))
        case "carry": theatre.carry(number, limit: words.count > 2 ? Int(words[2]) ?? 0 : .max)
        case "flip": theatre.carry(number, flipping: true)
        case "return": theatre.returnAll(number)
        case "drop": theatre.drop(number)
        case "tuned":
            var configuration = smallConfiguration(streams: 2, chunk: 1_000, window: 4_096)
            configuration.tuning = StreamTuner.Rules(streams: 1...4)
            theatre.recast(configuration: configuration)
        case "watch": theatre.toSender(.fired(.watch))
        case "sample":
            let sample = PathSample(
                rtt: .milliseconds(Int64(words[2]) ?? 0),
                deliveryRate: .megabits(1),
                loss: .zero,
                inFlight: .zero
            )
            theatre.toSender(.path(theatre.stream(number), sample))
        case "leave": theatre.toSender(.finished(theatre.stream(number)))
        case "end": theatre.toReceiver(.finished(theatre.stream(number)))
        case "reopen": theatre.toSender(.fired(.reopen(slot: number)))
        case "stall": theatre.toSender(.fired(.stalled))
        default: Issue.record("unknown command \(command)")
        }
    }
}
