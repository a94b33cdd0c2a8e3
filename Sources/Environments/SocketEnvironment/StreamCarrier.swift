package import Machines
package import NIOCore
package import Units

/// Carries byte streams to peers that have the same means, beside the TCP that every node has.
///
/// All calls but `bind` and `stop` happen on the node's event loop.
package protocol StreamCarrier: AnyObject, Sendable {
    /// Listens for peers on the loopback interface and gives the port.
    func bind(for owner: CarrierOwner) async throws -> Int
    /// The machine has started: streams of `peers` nodes may come in.
    func start(peers: Int)
    /// Opens a stream to the peer that listens at `port`; it first hears of `opened`, `notCarried`
    /// or `reset`. `nil` when nothing can be carried to that peer now.
    func open(
        _ stream: StreamID,
        to peer: NodeID,
        at port: Int,
        _ options: StreamOptions,
        tell: @escaping (any CarriedStream, StreamHappening) -> Void
    ) -> (any CarriedStream)?
    /// Ends everything; nothing is told afterwards.
    func stop() async
}

/// What a carrier knows of its node.
package struct CarrierOwner: Sendable {
    package let node: NodeID
    package let loop: any EventLoop
    /// A peer opened a stream.
    package let accept: @Sendable (any CarriedStream, StreamID) -> Void
    /// Something happened to a stream that a peer opened.
    package let tell: @Sendable (any CarriedStream, StreamHappening) -> Void

    package init(
        node: NodeID,
        loop: any EventLoop,
        accept: @escaping @Sendable (any CarriedStream, StreamID) -> Void,
        tell: @escaping @Sendable (any CarriedStream, StreamHappening) -> Void
    ) {
        self.node = node
        self.loop = loop
        self.accept = accept
        self.tell = tell
    }
}

/// One byte stream, whatever carries it. Confined to the node's event loop.
package protocol CarriedStream: AnyObject {
    /// `nil` until the opener has named it.
    var id: StreamID? { get }
    /// Bytes that the machine may write in all beyond those written so far.
    var credit: Int { get }
    /// Both sides have finished: the machine hears nothing more.
    var isComplete: Bool { get }
    /// Never more bytes than `credit`, and none after `finish`.
    func write(_ bytes: Bytes)
    func grant(_ count: Int)
    func finish()
    func reset()
}

/// What a stream tells its node.
package enum StreamHappening: Sendable {
    /// A peer has named the stream that it opens (TCP).
    case named(StreamPreamble)
    /// Our own open was accepted (carriers, TLS).
    case opened
    case readable(Bytes)
    case writable
    case finished
    case reset(StreamResetReason)
    case path(PathSample)
    /// The connection ended, or was ended, before it had a name (TCP).
    case abandoned
    /// The carrier cannot carry our own stream; the peer has not heard of it. Says what the machine
    /// has asked of it meanwhile.
    case notCarried(granted: Int, isFinishing: Bool)
}
