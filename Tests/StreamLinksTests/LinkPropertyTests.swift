import Determinism
import Machines
import StreamLinks
import Testing
import Units

// Goal: under any order of arrivals and completions every stream delivers each byte once and in
// order, both ends are told, and the link never stands still; when the queue pair is lost at any
// moment, each stream has either ended properly or hears of it. Method: hundreds of seeded runs of
// two ends over a pretended medium with a small ring and few receives, each stream writing both ways
// with small windows.
@Suite("Properties of a link")
struct LinkPropertyTests {
    /// What the machines of one run have done and learned; index 0 is the opener's side.
    struct Run {
        var pair = LinkPair()
        var random: SeededRandom
        let totals: [[Int]]
        var written: [[Int]]
        var read: [[Int]]
        var finished: [[Bool]]
        var ended: [[Bool]]
        var isOpen: [[Bool]]
        var heard = [0, 0]

        init(seed: UInt64) {
            random = SeededRandom(stateFrom: seed)
            let count = 1 + Int(random.below(4))
            var totals = [[Int]](repeating: [], count: 2)
            for side in 0...1 {
                for _ in 0..<count { totals[side].append(Int(random.below(30_000))) }
            }
            self.totals = totals
            written = [[Int]](repeating: Array(repeating: 0, count: count), count: 2)
            read = written
            let none = [[Bool]](repeating: Array(repeating: false, count: count), count: 2)
            (finished, ended, isOpen) = (none, none, none)
            for stream in 0..<count {
                pair.sides[0].link.open(
                    UInt32(stream),
                    window: 40 + Int(random.below(3_000)),
                    priority: UInt8(random.below(3)),
                    at: pair.now
                )
            }
            pair.advance(0)
        }

        /// The machines hear what was told since and answer it.
        mutating func react(_ side: Int) {
            while heard[side] < pair.sides[side].told.count {
                let (name, happening) = pair.sides[side].told[heard[side]]
                heard[side] += 1
                let stream = Int(name)
                switch happening {
                case .opened: isOpen[side][stream] = true
                case .readable(let bytes):
                    let from = read[side][stream]
                    let right = StreamLinkTests.content(name, from..<from + bytes.count)
                    #expect(bytes.elementsEqual(right))
                    #expect(!finished[side][stream])
                    read[side][stream] += bytes.count
                    pair.sides[side].link.grant(name, bytes.count)
                case .finished:
                    #expect(read[side][stream] == totals[1 - side][stream])
                    finished[side][stream] = true
                case .reset, .notCarried:
                    ended[side][stream] = true
                case .writable, .path:
                    break
                }
            }
            for stream in isOpen[side].indices where isOpen[side][stream] {
                write(stream, side)
            }
            pair.advance(side)
            // No more messages are under way than the peer has receives.
            #expect(pair.sides[side].flight.count <= LinkPair.receives)
        }

        private mutating func write(_ stream: Int, _ side: Int) {
            let name = UInt32(stream)
            let total = totals[side][stream]
            let offset = written[side][stream]
            guard offset <= total, pair.sides[side].link.isOpen(name) else { return }
            let count = min(total - offset, Int(random.below(5_000)), 4_000)
            if count > 0 {
                let bytes = StreamLinkTests.content(name, offset..<offset + count)
                pair.sides[side].link.write(name, bytes[...])
                written[side][stream] += count
            }
            if written[side][stream] == total {
                written[side][stream] = total + 1
                pair.sides[side].link.finish(name)
            }
        }

        /// One random step of the medium; false when nothing can move.
        mutating func step() -> Bool {
            let first = Int(random.below(4))
            pair.now = pair.now + .microseconds(Int64(random.below(200)))
            for turn in 0..<4 {
                let choice = (first + turn) % 4
                let moved = choice < 2 ? pair.arrive(from: choice) : pair.complete(choice - 2)
                guard moved else { continue }
                react(0)
                react(1)
                return true
            }
            react(0)
            react(1)
            return pair.sides.contains { !$0.flight.isEmpty || $0.uncompleted > 0 }
        }
    }

    @Test func everyByteArrives() {
        for seed in 0..<300 as Range<UInt64> {
            var run = Run(seed: seed)
            var steps = 0
            while run.step(), steps < 100_000 { steps += 1 }
            let isWhole = run.finished.joined().allSatisfy { $0 }
            #expect(isWhole, "seed \(seed) stood still after \(steps) steps")
            #expect(!run.ended.joined().contains(true), "seed \(seed)")
            #expect(run.pair.sides.allSatisfy { $0.link.streamCount == 0 && $0.failure == nil })
        }
    }

    @Test func aLostPairLeavesNobodyWaiting() {
        for seed in 1_000..<1_300 as Range<UInt64> {
            var run = Run(seed: seed)
            let moment = run.random.below(300)
            for _ in 0..<moment { _ = run.step() }
            // Whatever is under way is gone; each side notices for itself.
            for side in 0...1 { run.pair.sides[side].flight = [] }
            let first = Int(run.random.below(2))
            run.pair.lose(first, .broken("lost"))
            run.react(first)
            run.pair.lose(1 - first, .peerGone)
            run.react(1 - first)
            for side in 0...1 {
                #expect(run.pair.sides[side].link.streamCount == 0)
                for stream in run.isOpen[side].indices {
                    // The opener hears of each, also of those that were never carried.
                    guard side == 0 || run.isOpen[side][stream] else { continue }
                    let isOver = run.finished[side][stream] || run.ended[side][stream]
                    #expect(isOver, "seed \(seed): side \(side) waits for stream \(stream)")
                }
            }
        }
    }
}
