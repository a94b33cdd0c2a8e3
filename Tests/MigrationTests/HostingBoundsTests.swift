import Machines
import Migration
import StreamWorld
import Testing
import Transport
import Units

private typealias Node = MigrationNode<ScriptedMemory>

// Goal: what peers begin and give up cannot use up a destination for ever, and what is not taken is said.
// Method: a machine that is stepped by hand, and worlds whose destination has room for one guest.
@Suite struct HostingBoundsTests {
    private func idle(pages: Int) -> ScriptedMemory {
        .busy(pages: pages, hot: 0, pause: .milliseconds(1), until: .zero, seed: 1)
    }

    /// One step and what it asks for.
    private func step(_ node: inout Node, _ input: Input<Node>) -> [Action<Node>] {
        var actions = Actions<Node>()
        node.step(input, at: .zero, into: &actions)
        return actions.elements
    }

    private func isRefused(_ actions: [Action<Node>]) -> Bool {
        actions.contains { if case .reset = $0 { true } else { false } }
    }

    @Test func sessionsThatAreOverMakeRoom() throws {
        let birth = Birth<Node>(node: destination, incarnation: 0, recovered: [], seed: 1)
        var node = Node(birth, configuration: migrationConfiguration())
        func stream(_ session: UInt32) -> StreamID {
            SessionID(sender: source, number: session).stream(0)
        }
        func open(_ session: UInt32) -> [Action<Node>] {
            step(&node, .streamOpened(stream(session), peer: source))
        }
        let limit = UInt32(MigrationConfiguration.sessionLimit)
        var stalls: [Node.Timer] = []
        for session in 0..<limit {
            #expect(!isRefused(open(session)))
            for action in step(&node, .reset(stream(session), .byPeer)) {
                if case .setTimer(let timer, _) = action { stalls.append(timer) }
            }
        }
        #expect(stalls.count == Int(limit))
        node.checkInvariants()
        // All of them may still go on.
        #expect(isRefused(open(limit)))
        for timer in stalls[...1] { _ = step(&node, .fired(timer)) }
        // The first of the two makes room. Its timer means nothing to its successor, which waits for streams, too.
        #expect(!isRefused(open(limit)))
        _ = step(&node, .reset(stream(limit), .byPeer))
        #expect(step(&node, .fired(stalls[0])).isEmpty)
        #expect(!isRefused(open(limit + 1)))
        #expect(isRefused(open(limit + 2)))
        node.checkInvariants()
    }

    @Test func guestsTogetherFitTheNode() {
        var conditions = WorldConditions()
        conditions.delay = .milliseconds(1)...(.milliseconds(3))
        for keeps in [true, false] {
            var world = StreamWorld<Node>(nodes: 2, seed: 1, conditions: conditions)
            var hosting = migrationConfiguration()
            hosting.hostedPageLimit = 300
            hosting.keepsMemory = keeps
            world.startNode(destination, hosting)
            let order = MigrationOrder(memory: idle(pages: 200), to: destination)
            world.startNode(source, migrationConfiguration(concurrency: 2), [order, order])
            let isQuiet = world.run(until: .zero + .seconds(60))
            #expect(isQuiet)
            #expect(world.summaries().count == 1)
            #expect(world.failures(at: source) == [.refused])
            // A guest that is not kept here takes no room any more.
            world.request(source, .migrate(order))
            world.run(until: .zero + .seconds(120))
            #expect(world.summaries().count == (keeps ? 1 : 2))
        }
    }

    @Test func ordersBeyondALifesSessionsAreRefused() {
        let limit = MigrationConfiguration.sessionLimit
        let birth = Birth<Node>(node: source, incarnation: 0, recovered: [], seed: 1)
        let order = MigrationOrder(memory: idle(pages: 1), to: destination)
        var node = Node(
            birth,
            configuration: migrationConfiguration(streams: 1, concurrency: limit + 1),
            orders: Array(repeating: order, count: limit + 1)
        )
        let events = step(&node, .started).compactMap { action in
            if case .emit(let event) = action { event } else { nil }
        }
        #expect(events.count == limit + 1)
        #expect(events.last == .orderRefused(destination: destination))
        #expect(node.openOrders == limit)
    }
}
