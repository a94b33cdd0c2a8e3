import Determinism
import Effects
import Foundation
import HostEffects
import Machines
import Testing
import Units

/// Goal: paths are measured, and nobody is harmed by whatever arrives at a responder.
/// Method: probes over the loopback interface; seeded bytes against the decoder.
@Suite(.timeLimit(.minutes(15))) struct ProbingTests {
    private let world = HostWorld()
    private let plan = ProbePlan(
        trains: 3,
        packetsPerTrain: 4,
        packetBytes: 1200,
        spacing: .milliseconds(2),
        timeout: .milliseconds(500)
    )

    @Test func aPathIsMeasured() async throws {
        let network = world.effects.network
        let responder = try await network.answerProbes(
            at: SocketEndpoint(host: "127.0.0.1", port: 0)
        )
        let found = try await network.probe(responder.endpoint, plan)
        #expect(found.sent == 12 && found.received == 12)
        #expect(found.roundTrips.count == 3)
        #expect(found.roundTrips.allSatisfy { $0 > .zero && $0 < plan.timeout })
        #expect((found.rate?.bitsPerSecond ?? 0) > 1_000_000)
        let taken = await #expect(throws: NetworkError.self) {
            _ = try await network.answerProbes(at: responder.endpoint)
        }
        #expect(taken?.reason == .portOccupied)
        await responder.close()
        let nobody = await #expect(throws: NetworkError.self) {
            _ = try await network.probe(responder.endpoint, plan)
        }
        #expect(nobody?.reason == .unreachable)
        await world.shutdown()
    }

    @Test func messagesComeBack() throws {
        var random = SeededRandom(stateFrom: 3)
        for _ in 0..<1000 {
            let message = ProbeMessage(
                kind: random.below(2) == 0 ? .request : .answer,
                session: random.next(),
                train: UInt16(random.below(1 << 16)),
                packet: UInt16(random.below(1 << 16)),
                arrival: Int64(bitPattern: random.next())
            )
            #expect(try ProbeMessage(message.bytes()) == message)
        }
    }

    @Test func noAnswerIsLongerThanItsRequestOrAnswersAnAnswer() {
        var random = SeededRandom(stateFrom: 7)
        var answers = 0
        let whole = ProbeMessage(kind: .request, session: 1, train: 2, packet: 3, arrival: 0)
        for _ in 0..<200_000 {
            var bytes = whole.bytes(size: Int(random.below(80)))
            bytes = Array(bytes.prefix(Int(random.below(81))))
            for _ in 0..<random.below(3) where !bytes.isEmpty {
                bytes[Int(random.below(UInt64(bytes.count)))] = UInt8(random.below(256))
            }
            guard let answer = ProbeMessage.answer(to: bytes, arrival: 5) else { continue }
            answers += 1
            if answer.count > bytes.count || ProbeMessage.answer(to: answer, arrival: 6) != nil {
                Issue.record("\(bytes) is answered by \(answer)")
                return
            }
        }
        #expect(answers > 1000)
    }
}
