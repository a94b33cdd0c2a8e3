import Machines
import Testing

/// Goal: what is put in comes out in order, whenever it is put in. Method: a queue of arrays beside a plain one,
/// with appends between the takes.
@Suite struct MoveQueueTests {
    @Test func elementsComeOutInOrder() {
        var queue = MoveQueue<[Int]>()
        var plain: [[Int]] = []
        var next = 0
        for round in 0..<200 {
            for _ in 0..<(round * 7 % 5) {
                queue.append([next])
                plain.append([next])
                next += 1
            }
            #expect(queue.elements == plain)
            for _ in 0..<(round * 3 % 4) {
                #expect(queue.popFirst() == (plain.isEmpty ? nil : plain.removeFirst()))
            }
            #expect(queue.isEmpty == plain.isEmpty)
        }
        queue.append([-1])
        queue.removeAll()
        #expect(queue.isEmpty && queue.popFirst() == nil && queue.elements.isEmpty)
    }
}
