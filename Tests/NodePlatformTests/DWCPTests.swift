import DeltaEncoding
import Determinism
import Effects
import Initialization
import Machines
import Migration
import NodeFoundation
import NodePlatform
import SimulatedEffects
import SimulationKernel
import Testing
import Transport
import Units

// Goal: migrations are taken with a checked encoding over parallel streams, or over one plain
// stream when that cannot be had; the node says which. Method: boots on modelled hosts with few
// files, wrong settings, a taken port.
@Suite struct DWCPTests {
    private func boot(
        _ world: PlatformWorld = PlatformWorld(),
        _ change: (inout NodeConfiguration) -> Void = { _ in },
        serve: @escaping @Sendable (NodeLifecycle) async -> Void = { _ in }
    ) throws -> PlatformWorld.Boot {
        var configuration = PlatformWorld.configuration
        change(&configuration)
        let all = PlatformWorld.all(configuration)
        return try world.boot([all[0], all[9], all[10]]) { node, _ in await serve(node) }.boot
    }

    @Test(arguments: [0, 1, 3, 9])
    func theWholeTransportStarts(level: Int) throws {
        let world = PlatformWorld()
        let seen = try boot(world) {
            $0.dwcp.compressionLevel = level
            $0.dwcp.streams = 16
            $0.dwcp.congestion = "newreno"
        } serve: { node in
            let receiver = node.value(PlatformKeys.transport)
            #expect(receiver?.configuration.transport.streams == 16)
            #expect(receiver?.configuration.transport.congestionControl == .newReno)
            #expect(receiver?.configuration.encoding.form == .hierarchical)
            #expect(receiver?.configuration.encoding.compression.rawValue == level)
            #expect(receiver?.configuration.pageLimit == 1 << 20)
            #expect(receiver?.statistics == MigrationReceiver.Counts())
            #expect(receiver?.endpoint.port == 7401)
            #expect(world.host.ports.open == [PortTable.Port(7401, .tcp)])
        }
        #expect(seen.isReady && seen.degraded == [])
        #expect(seen.health.allSatisfy { $0.health == .healthy })
        #expect(world.host.ports.open.isEmpty)
    }

    @Test(arguments: NetworkMode.allCases + [nil])
    func theKindOfNetworkChoosesTheStreams(mode: NetworkMode?) throws {
        let seen = try boot {
            $0.dwcp.streams = nil
            $0.environment.mode = mode
        } serve: { node in
            let transport = node.value(PlatformKeys.transport)?.configuration.transport
            #expect((16...256).contains(transport?.streams ?? 0))
        }
        #expect(seen.isReady && seen.degraded == [])
    }

    private static let hindrances:
        [(reason: String, change: @Sendable (inout NodeConfiguration) -> Void)] =
            [
                ("may open 200 files, its streams need 384", { $0.dwcp.streams = 256 }),
                ("257 streams are not possible", { $0.dwcp.streams = 257 }),
                ("no congestion control 'vegas'", { $0.dwcp.congestion = "vegas" }),
            ]

    @Test(arguments: hindrances.indices)
    func oneStreamIsTheFallback(number: Int) throws {
        let (reason, change) = Self.hindrances[number]
        let seen = try boot(PlatformWorld(openFiles: 200)) {
            change(&$0)
        } serve: { node in
            let receiver = node.value(PlatformKeys.transport)
            #expect(receiver?.configuration.transport.streams == 1)
            #expect(receiver?.configuration.encoding == .raw)
        }
        #expect(seen.isReady && seen.degraded == ["dwcp.transport"])
        #expect(seen.reasons("dwcp.transport").count == 1)
        #expect(seen.reasons("dwcp.transport").first?.contains(reason) == true)
        let health = seen.health.first { $0.component == "dwcp.transport" }
        #expect(health?.fallback == "dwcp.single-stream")
        #expect(health?.health == .degraded("one plain stream, without encoding"))
    }

    @Test func withoutAnEncodingPagesTravelAsTheyAre() throws {
        let seen = try boot { $0.dwcp.compressionLevel = 2 }
        #expect(seen.isReady && seen.degraded == ["dwcp.encoding", "dwcp.transport"])
        #expect(seen.reasons("dwcp.encoding") == ["\(EncodingFault.unknownLevel(2))"])
    }

    @Test func anOccupiedPortLeavesNoTransport() throws {
        let world = PlatformWorld()
        world.host.ports.occupy(PortTable.Port(7401, .tcp))
        let seen = try boot(world)
        #expect(seen.isReady && seen.degraded == ["dwcp.transport"])
        #expect(seen.reasons("dwcp.transport").count == 4)
        #expect(
            seen.reasons("dwcp.transport").last == "127.0.0.1:7401: another process listens there"
        )
    }

    /// Goal: the check looks at every class of page. Method: its own statistics.
    @Test func theCheckMeetsEveryClassOfPage() throws {
        var random = SeededRandom(stateFrom: 3)
        let encoding = EncodingConfiguration(form: .hierarchical, compression: .level3)
        let seen = try EncodingCheck(encoding).run(&random)
        #expect(PageClass.allCases.allSatisfy { seen[$0] > 0 }, "\(seen)")
        #expect(seen.pages == 2 * EncodingCheck.pageCount)
        let raw = try EncodingCheck(.raw).run(&random)
        #expect(raw[.literal] == raw.pages)
    }
}
