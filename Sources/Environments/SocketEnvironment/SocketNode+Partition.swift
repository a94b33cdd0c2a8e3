import Machines
import NIOCore
import Units

/// From whom a partition keeps a node, where the network itself cannot be parted: the node drops
/// messages and holds streams.
///
/// A partition of packets loses messages, and delays streams until TCP's repetitions come through, so
/// that is what happens here. It differs in what the kernel does by itself: a process that dies ends its
/// connections at once, also those to nodes on the other side.
public struct Parting: Hashable, Sendable, Codable {
    /// Nodes that hear nothing of this one, ascending.
    public var unreached: [UInt32]
    /// Nodes of which this one hears nothing, ascending.
    public var unheard: [UInt32]

    public init(unreached: [UInt32] = [], unheard: [UInt32] = []) {
        self.unreached = unreached
        self.unheard = unheard
    }

    var isNone: Bool { unreached.isEmpty && unheard.isEmpty }

    func reaches(_ node: NodeID) -> Bool { !unreached.contains(node.rawValue) }
    func hears(_ node: NodeID) -> Bool { !unheard.contains(node.rawValue) }
    func isWhole(with node: NodeID) -> Bool { reaches(node) && hears(node) }
}

/// A stream that the machine wants opened, on the other side of a partition.
struct HeldOpening {
    let stream: SocketStream
    let id: StreamID
    let peer: NodeID
    let options: StreamOptions
}

extension SocketNode {
    /// From now on the node is kept from these nodes, and from no others.
    public func part(_ new: Parting) {
        loop.execute { [self] in change(to: new) }
    }

    /// Runs `body` behind the steps that have begun.
    public func afterSteps(_ body: @escaping @Sendable () -> Void) {
        loop.execute(body)
    }

    /// A stream is held where the partition parts it from its other end, and let go where not.
    func hold(_ stream: SocketStream) {
        guard let partner = stream.partner else { return }
        stream.hold(writing: !parting.reaches(partner), reading: !parting.hears(partner))
    }

    private func change(to new: Parting) {
        parting = new
        // By name: releasing one writes to it, and the machine may hear of that and do more.
        for id in streams.keys.sorted() {
            if let stream = streams[id] as? SocketStream { hold(stream) }
        }
        holdClosing()
        releaseResets()
        let openings = heldOpenings
        heldOpenings = []
        for opening in openings {
            guard streams[opening.id] === opening.stream else { continue }
            if parting.isWhole(with: opening.peer) {
                connect(opening.stream, opening.id, to: opening.peer, opening.options)
            } else {
                heldOpenings.append(opening)
            }
        }
    }
}
