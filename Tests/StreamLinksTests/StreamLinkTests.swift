import Determinism
import Machines
import StreamLinks
import Testing
import Units

// Goal: the protocol of a link keeps the stream contract without a device: every byte once and in
// order, credit kept, ends and resets told, whatever the medium's timing, and nothing lost in
// silence when the queue pair is. Method: steps; then seeded runs over a pretended medium.
@Suite("Streams of a link")
struct StreamLinkTests {
    static func content(_ stream: UInt32, _ range: Range<Int>) -> [UInt8] {
        range.map { UInt8(truncatingIfNeeded: $0 &* 31 &+ $0 >> 8 &+ Int(stream) &* 77) }
    }

    @Test func nothingIsSentBeforeTheHello() {
        var pair = LinkPair(isConnected: false)
        pair.sides[0].link.open(1, window: 100, priority: 0, at: pair.now)
        pair.advance(0)
        #expect(pair.sides[0].flight.isEmpty)
        pair.connect(0)
        #expect(pair.sides[0].flight.count == 1 && !pair.sides[0].link.isUp)
        // The acceptor only answers.
        pair.connect(1)
        #expect(pair.sides[1].flight.isEmpty)
        pair.settle()
        #expect(pair.sides[0].link.isUp && pair.sides[1].link.isUp)
        #expect(pair.sides[0].told.map(\.happening) == [.opened])
        #expect(pair.sides[1].told.map(\.happening) == [.opened])
    }

    @Test func creditHoldsBytesBack() {
        var pair = LinkPair()
        pair.settle()
        pair.sides[0].link.open(7, window: 1_000, priority: 0, at: pair.now)
        pair.sides[0].link.write(7, StreamLinkTests.content(7, 0..<3_000)[...])
        pair.advance(0)
        pair.settle()
        func read() -> Int {
            pair.sides[1].told.reduce(0) { sum, item in
                if case .readable(let bytes) = item.happening { sum + bytes.count } else { sum }
            }
        }
        #expect(read() == 1_000)
        // Nothing may be sent, so that a single byte of credit is told.
        pair.sides[1].link.grant(7, 1)
        pair.advance(1)
        pair.settle()
        #expect(read() == 1_001)
        pair.sides[1].link.grant(7, 1_999)
        pair.advance(1)
        pair.settle()
        #expect(read() == 3_000)
        #expect(pair.sides[0].link.credit(of: 7) == 1 << 20)
    }

    @Test func urgentStreamsGoFirst() {
        var pair = LinkPair()
        pair.settle()
        pair.sides[0].link.open(1, window: 1 << 20, priority: 5, at: pair.now)
        pair.sides[0].link.open(2, window: 1 << 20, priority: 0, at: pair.now)
        for stream in [1, 2] as [UInt32] {
            pair.sides[0].link.write(stream, [UInt8](repeating: 1, count: 100)[...])
        }
        pair.advance(0)
        let order = pair.sides[0].flight.compactMap { action -> UInt32? in
            if case .place(_, _, let stream) = action { stream } else { nil }
        }
        #expect(order == [2, 1])
    }

    @Test func aResetIsToldToTheOtherSideAlone() {
        var pair = LinkPair()
        pair.settle()
        pair.sides[0].link.open(1, window: 1_000, priority: 0, at: pair.now)
        pair.sides[0].link.write(1, StreamLinkTests.content(1, 0..<500)[...])
        pair.advance(0)
        pair.sides[1].told = []
        pair.sides[0].link.reset(1)
        pair.advance(0)
        pair.settle()
        #expect(pair.sides[1].told.last?.happening == .reset(.byPeer))
        #expect(
            pair.sides[0].told.allSatisfy { $0.happening == .opened || $0.happening == .writable }
        )
        #expect(pair.sides[0].link.streamCount == 0 && pair.sides[1].link.streamCount == 0)
    }

    @Test func aLostLinkTellsEveryStreamItsFate() {
        var pair = LinkPair()
        pair.settle()
        pair.sides[0].link.open(1, window: 1_000, priority: 0, at: pair.now)
        pair.advance(0)
        pair.sides[0].link.open(2, window: 1_000, priority: 0, at: pair.now)
        pair.sides[0].link.grant(2, 50)
        pair.sides[0].link.finish(2)
        pair.lose(0, .broken("a request failed"))
        let told = pair.sides[0].told.map(\.happening)
        #expect(
            told == [.opened, .reset(.failed), .notCarried(granted: 50, isFinishing: true)]
        )
        #expect(pair.sides[0].failure == .broken("a request failed"))
        // Nothing afterwards does anything.
        pair.settle()
        pair.advance(0)
        #expect(pair.sides[0].told.count == 3 && pair.sides[0].link.isLost)
    }

    @Test func nobodyListening() {
        var pair = LinkPair(isConnected: false)
        pair.sides[0].link.open(1, window: 1_000, priority: 0, at: pair.now)
        pair.lose(0, .refused)
        #expect(pair.sides[0].told.map(\.happening) == [.reset(.refused)])
    }

    // Goal: what no link sends ends the link, and traps nothing.
    @Test func foreignMessagesEndTheLink() {
        var random = SeededRandom(stateFrom: 9)
        for _ in 0..<4_000 {
            var pair = LinkPair()
            pair.settle()
            pair.sides[0].link.open(1, window: 1_000, priority: 0, at: pair.now)
            pair.advance(0)
            pair.settle()
            var actions: [StreamLink.Action] = []
            for _ in 0..<4 {
                if random.below(3) == 0 {
                    let count = Int(random.below(6_000))
                    pair.sides[1].link.arrive(
                        count,
                        for: UInt32(random.below(3)),
                        into: &actions
                    ) { [UInt8](repeating: 0, count: $0.count)[...] }
                } else {
                    let message = ControlMessage(
                        ControlMessage.Kind.allCases.randomElement(using: &random)!,
                        stream: UInt32(random.below(3)),
                        value: 1 + random.below(random.below(2) == 0 ? 5_000 : 1 << 40),
                        bytesTaken: random.below(2),
                        messagesTaken: random.below(4)
                    )
                    var bytes = message.bytes
                    if random.below(4) == 0 { bytes[Int(random.below(32))] ^= 255 }
                    pair.sides[1].link.receive(bytes[...], at: pair.now, into: &actions)
                }
                pair.sides[1].link.advance(at: pair.now, into: &actions)
            }
            if pair.sides[1].link.isLost { #expect(pair.sides[1].link.streamCount == 0) }
        }
    }
}
