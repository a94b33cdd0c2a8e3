import Effects
import Foundation
import HostEffects
import Machines
import NIOCore
import NIOPosix
import NodePlatform
import SocketEnvironment
import Testing
import Units

/// Goal: over TLS two nodes of one authority talk, and whoever is not one of them is refused within a
/// deadline, by name of the fault, while streams that are open go on. That streams keep their whole
/// contract over TLS is played in `ConformanceTests`.
/// Method: real nodes on loopback sockets, and peers that say what no node would.
@Suite("TLS on streams", .timeLimit(.minutes(5)))
struct StreamSecurityTests {
    private static let patience = Interval.milliseconds(300)

    private static var now: WallTime {
        WallTime(unixSeconds: Int64(Date.now.timeIntervalSince1970))
    }

    private static func authority() throws -> EphemeralAuthority {
        try EphemeralAuthority(HostSecrets(), from: now, lifetime: .seconds(3600))
    }

    private static func security(
        _ authority: EphemeralAuthority,
        _ node: UInt32,
        named: UInt32? = nil,
        trusting other: EphemeralAuthority? = nil,
        until end: WallTime? = nil
    ) throws -> StreamSecurity {
        let name = StreamSecurity.name(of: NodeID(named ?? node))
        var identity = try authority.identity(named: name, until: end)
        if let other { identity.clientAuthorities = other.pem }
        return try StreamSecurity(identity, names: .numbered, patience: patience)
    }

    // MARK: Peers that connect

    /// What a client does before it waits for the end of its connection.
    private static let hostile: [(name: String, bytes: [UInt8])] = [
        ("says nothing", []),
        ("speaks HTTP", Array("GET / HTTP/1.1\r\n\r\n".utf8)),
        ("is a node without TLS", preamble),
        ("begins a record and stops", [0x16, 0x03, 0x01, 0x02, 0x00, 0x01]),
        (
            "sends a record of zeros",
            [0x16, 0x03, 0x03, 0x40, 0x00] + Array(repeating: 0, count: 999)
        ),
        ("sends noise", (0..<4096).map { UInt8(truncatingIfNeeded: $0 &* $0 &* 151 &+ 7) }),
    ]

    private static let preamble = StreamPreamble(
        StreamID(opener: NodeID(1), number: 9),
        receiveCredit: 1024
    ).bytes

    @Test(arguments: hostile.indices)
    func aPeerThatDoesNotShakeHandsIsCutOff(number: Int) async throws {
        let stage = try await Stage()
        // This stream is open all the while.
        let friend = try await stage.talk(to: stage.server, from: stage.node(1, stage.trusted(1)))
        let client = try await RawClient(stage.server.address.streamPort)
        try await client.send(Self.hostile[number].bytes)
        await client.end()
        #expect(await stage.server.refusals(1) >= 1, "\(Self.hostile[number].name)")
        #expect(await friend.isStillHeard())
        #expect(stage.server.security?.counts.accepted == 1)
        await stage.stop()
    }

    /// Method: strangers of several kinds each open a stream; the stream is reset in time.
    @Test func aPeerWithoutTheRightCertificateIsRefused() async throws {
        let stage = try await Stage()
        let friend = try await stage.talk(to: stage.server, from: stage.node(1, stage.trusted(1)))
        let other = try Self.authority()
        let strangers: [(name: String, security: StreamSecurity?)] = [
            ("of another authority", try Self.security(other, 1, trusting: stage.authority)),
            ("trusts another authority", try Self.security(stage.authority, 1, trusting: other)),
            (
                "with a certificate that has ended",
                try Self.security(stage.authority, 1, until: Self.now + .seconds(-60))
            ),
            ("with the certificate of node 2", try Self.security(stage.authority, 1, named: 2)),
            ("without TLS", nil),
        ]
        for (index, stranger) in strangers.enumerated() {
            let node = try await stage.node(1, stranger.security, stream: 20 + UInt32(index))
            node.start([stage.server.address, node.address])
            let heard = await node.next()
            // An opener's handshake ends before the acceptor has looked at its certificate.
            let end = heard == "opened" ? await node.next() : heard
            #expect(end.hasPrefix("reset"), "\(stranger.name): \(end)")
            #expect(await stage.server.refusals(index + 1) == index + 1, "\(stranger.name)")
        }
        #expect(await friend.isStillHeard())
        #expect(stage.server.security?.counts.accepted == 1)
        #expect(stage.server.security?.counts.lastReason != nil)
        await stage.stop()
    }

    // MARK: Peers that are connected to

    /// Method: the acceptor is no node: it answers with garbage, closes, or says nothing for ever.
    @Test(arguments: ["\u{0}\u{1}\u{2} garbage", "HTTP/1.1 400 Bad Request\r\n\r\n", "", nil])
    func anAcceptorThatDoesNotShakeHandsIsLeft(answer: String?) async throws {
        let stage = try await Stage()
        let impostor = try await RawServer(answer)
        let node = try await stage.node(1, stage.trusted(1))
        node.start([NodeAddress(streamPort: impostor.port, datagramPort: 9), node.address])
        #expect(await node.next() == (answer == nil ? "reset timedOut" : "reset refused"))
        #expect(node.security?.counts.refused == 1 && node.security?.counts.opened == 0)
        await impostor.stop()
        await stage.stop()
    }

    /// Goal: a node that another certificate's holder answers for is not spoken to.
    @Test func anAcceptorWithAnothersNameIsLeft() async throws {
        let stage = try await Stage(serverNamed: 5)
        let node = try await stage.node(1, stage.trusted(1))
        node.start([stage.server.address, node.address])
        #expect(await node.next() == "reset refused")
        await stage.stop()
    }

    // MARK: Certificates that cannot be used

    @Test func certificatesThatCannotBeUsedAreNamed() throws {
        let authority = try Self.authority()
        let good = try authority.identity(named: "node-0")
        let another = try authority.identity(named: "node-1")
        var identity = good
        identity.privateKey = another.privateKey
        let mismatch = #expect(throws: SocketFailure.self) {
            try StreamSecurity(identity, names: .numbered)
        }
        #expect(mismatch?.description.contains("cannot be used for TLS") == true)
        for damage in 0..<3 {
            identity = good
            switch damage {
            case 0: identity.clientAuthorities = nil
            case 1: identity.clientAuthorities = "no PEM"
            default: identity.certificateChain = ""
            }
            #expect(throws: SocketFailure.self) { try StreamSecurity(identity, names: .any) }
        }
    }

    // MARK: The stage

    /// A node 0 that takes streams, and nodes that come to it.
    private final class Stage {
        let authority: EphemeralAuthority
        let server: TestNode
        private var nodes: [TestNode] = []

        init(serverNamed name: UInt32? = nil) async throws {
            authority = try StreamSecurityTests.authority()
            server = try await TestNode(
                0,
                StreamSecurityTests.security(authority, 0, named: name),
                stream: 0
            )
            // Nobody asks where node 1 listens.
            server.start([server.address, NodeAddress(streamPort: 9, datagramPort: 9)])
        }

        func trusted(_ node: UInt32) throws -> StreamSecurity {
            try StreamSecurityTests.security(authority, node)
        }

        func node(
            _ number: UInt32,
            _ security: StreamSecurity?,
            stream: UInt32 = 1
        ) async throws -> TestNode {
            let node = try await TestNode(number, security, stream: stream)
            nodes.append(node)
            return node
        }

        /// Opens a stream and waits for the first echo.
        func talk(to server: TestNode, from node: TestNode) async throws -> TestNode {
            node.start([server.address, node.address])
            #expect(await node.next() == "opened")
            #expect(await node.next() == "hello")
            return node
        }

        func stop() async {
            for node in nodes { await node.stop() }
            await server.stop()
        }
    }
}
