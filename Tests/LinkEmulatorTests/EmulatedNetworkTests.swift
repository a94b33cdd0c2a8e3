import Foundation
import LinkEmulator
import LinkModel
import NetworkModel
import SimulatedEnvironment
import Synchronization
import Testing
import Units

/// Goal: real packets meet what the link model decides for them: which of them are lost, no earlier
/// arrival than propagation allows, outages and partitions; and everything is counted.
/// Method: datagrams between namespaces, every one of them accounted for; the model itself, with the
/// same seed, says how many must be lost. Nothing is concluded from how long anything took.
@Suite(.serialized, .enabled(if: Privileges.suffice, "emulated networks need root and TUN"))
struct EmulatedNetworkTests {
    private static func link(
        _ loss: LossModel = .none,
        propagation: Interval = .milliseconds(5)
    ) -> LinkParameters {
        LinkParameters(
            rate: .megabits(50),
            propagation: propagation,
            loss: loss,
            queueLimit: .mebibytes(4)
        )
    }

    private static func topology(_ forward: LinkParameters) -> Topology {
        Topology(
            regionCount: 2,
            nodes: [RegionID(0), RegionID(1), RegionID(1)],
            links: [
                .init(from: RegionID(0), to: RegionID(1), forward),
                .init(from: RegionID(1), to: RegionID(0), link()),
            ]
        )
    }

    private static var now: Int64 {
        var time = timespec()
        clock_gettime(CLOCK_MONOTONIC, &time)
        return Int64(time.tv_sec) * 1_000_000_000 + Int64(time.tv_nsec)
    }

    /// A datagram socket of a node; made on a thread that is in the node's namespace.
    private static func socket(of node: Int, in network: EmulatedNetwork) throws -> Int32 {
        let result = Mutex<Result<Int32, any Error>>(.success(-1))
        let done = DispatchSemaphore(value: 0)
        let (path, address) = (network.namespaces[node], network.addresses[node])
        Thread.detachNewThread {
            let made = Result {
                try NetworkNamespace.enter(path)
                let descriptor = Glibc.socket(AF_INET, Int32(SOCK_DGRAM.rawValue), 0)
                var place = sockaddr_in()
                place.sin_family = sa_family_t(AF_INET)
                place.sin_port = UInt16(5000).bigEndian
                place.sin_addr.s_addr = address.rawValue.bigEndian
                let bound = withUnsafePointer(to: &place) {
                    $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                        bind(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
                    }
                }
                try #require(descriptor >= 0 && bound == 0)
                // A guard against hanging; an empty socket is known by the counters.
                var patience = timeval(tv_sec: 20, tv_usec: 0)
                setsockopt(
                    descriptor,
                    SOL_SOCKET,
                    SO_RCVTIMEO,
                    &patience,
                    socklen_t(MemoryLayout<timeval>.size)
                )
                var room: Int32 = 8 << 20
                setsockopt(
                    descriptor,
                    SOL_SOCKET,
                    Int32(SO_RCVBUFFORCE),
                    &room,
                    socklen_t(MemoryLayout<Int32>.size)
                )
                return descriptor
            }
            result.withLock { $0 = made }
            done.signal()
        }
        done.wait()
        return try result.withLock { try $0.get() }
    }

    private static let SO_RCVBUFFORCE = 33

    /// Sends the present time to a node.
    private static func send(from descriptor: Int32, to address: IPv4Address) {
        var place = sockaddr_in()
        place.sin_family = sa_family_t(AF_INET)
        place.sin_port = UInt16(5000).bigEndian
        place.sin_addr.s_addr = address.rawValue.bigEndian
        var content = now
        withUnsafePointer(to: &place) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                _ = sendto(
                    descriptor,
                    &content,
                    8,
                    0,
                    $0,
                    socklen_t(MemoryLayout<sockaddr_in>.size)
                )
            }
        }
    }

    /// How long a datagram was under way; `nil` when none came within the guard.
    private static func receive(_ descriptor: Int32) -> Interval? {
        var content: Int64 = 0
        guard recv(descriptor, &content, 8, 0) == 8 else { return nil }
        return Interval(nanoseconds: now - content)
    }

    /// The link's counters once everything offered has arrived or is lost.
    private static func settled(
        _ network: EmulatedNetwork,
        _ link: Int,
        offered: UInt64
    ) -> LinkCounters {
        while true {
            let counters = network.report().links[link].counters
            let gone =
                counters.arrivedPackets + counters.droppedByLoss + counters.droppedByOutage
                + counters.droppedByQueue
            if gone == counters.offeredPackets,
                counters.offeredPackets + counters.droppedByRule >= offered
            {
                return counters
            }
            usleep(1000)
        }
    }

    @Test(.timeLimit(.minutes(1)))
    func exactlyTheModelsPacketsAreLostAndTheOthersAreInTime() throws {
        let parameters = Self.link(.bernoulli(Ratio(0.1)))
        let network = try EmulatedNetwork(Self.topology(parameters), seed: 11)
        let sender = try Self.socket(of: 0, in: network)
        let receiver = try Self.socket(of: 1, in: network)
        defer {
            close(sender)
            close(receiver)
        }
        try network.begin(origin: Self.now)
        let count = 3000
        for _ in 0..<count { Self.send(from: sender, to: network.addresses[1]) }
        let counters = Self.settled(network, 0, offered: UInt64(count))

        var model = LinkPipe<UInt8>(
            parameters,
            entity: EntityID(.link, 0),
            seed: 11,
            filler: 0
        )
        var lost: UInt64 = 0
        for index in 0..<count {
            let time = Instant.zero + .milliseconds(1) * Int64(index)
            let fate = model.offer(0, wireBytes: 50, at: time)
            if fate == .droppedByLoss { lost += 1 }
        }
        #expect(counters.offeredPackets == UInt64(count))
        #expect(counters.droppedByLoss == lost)
        #expect(counters.arrivedPackets == UInt64(count) - lost)
        #expect(counters.offeredBytes == UInt64(count) * (20 + 8 + 8 + 14))
        for _ in 0..<counters.arrivedPackets {
            let time = try #require(Self.receive(receiver))
            #expect(time >= parameters.propagation)
        }
        let report = network.report()
        #expect(report.errors.count == counters.arrivedPackets)
        #expect(report.packetsMissed == 0 && report.packetsWithoutSlot == 0)
        network.stop()
    }

    @Test(.timeLimit(.minutes(1)))
    func outagesAndPartitionsHoldUntilTheyHeal() throws {
        let network = try EmulatedNetwork(Self.topology(Self.link()), seed: 3)
        let sockets = try (0..<3).map { try Self.socket(of: $0, in: network) }
        defer { for descriptor in sockets { close(descriptor) } }
        try network.begin(origin: Self.now)
        func exchange(_ offered: UInt64) -> LinkCounters {
            Self.send(from: sockets[0], to: network.addresses[1])
            Self.send(from: sockets[0], to: network.addresses[2])
            return Self.settled(network, 0, offered: offered)
        }
        #expect(exchange(2).arrivedPackets == 2)

        network.apply(.down([LinkID(0)]), number: 1)
        let down = exchange(4)
        #expect(down.droppedByOutage == 2 && down.arrivedPackets == 2)
        network.apply(.heal, number: 1)
        #expect(exchange(6).arrivedPackets == 4)

        let cut = NetworkRule(from: NodeSet([NodeID(0)]), to: NodeSet([NodeID(2)]))
        network.apply(.block([cut]), number: 2)
        let parted = exchange(8)
        #expect(parted.droppedByRule == 1 && parted.arrivedPackets == 5)
        network.apply(.heal, number: 2)
        #expect(exchange(10).arrivedPackets == 7)

        network.apply(.loss([LinkID(0)], .bernoulli(Ratio(1))), number: 3)
        #expect(exchange(12).droppedByLoss == 2)
        network.apply(.heal, number: 3)
        network.apply(.delay([LinkID(0)], .milliseconds(30)), number: 4)
        for _ in 0..<4 { _ = Self.receive(sockets[1]) }
        #expect(exchange(14).arrivedPackets == 9)
        #expect(try #require(Self.receive(sockets[1])) >= .milliseconds(35))
    }

    // A thread sleeps until what it knows of is due: a change that lets packets leave sooner has to wake it.
    @Test(.timeLimit(.minutes(1)))
    func whatAFaultHeldUpLeavesWhenTheFaultEnds() throws {
        let network = try EmulatedNetwork(Self.topology(Self.link()), seed: 3)
        let sockets = try (0..<2).map { try Self.socket(of: $0, in: network) }
        defer { for descriptor in sockets { close(descriptor) } }
        try network.begin(origin: Self.now)
        // The first of them alone would take 200 s.
        network.apply(.rate([LinkID(0)], .absolute(BitRate(bitsPerSecond: 2))), number: 1)
        for _ in 0..<2 { Self.send(from: sockets[0], to: network.addresses[1]) }
        while network.report().links[0].counters.offeredPackets < 2 { usleep(1_000) }
        // It goes back to sleep, for an hour if nobody wakes it.
        usleep(100_000)
        network.apply(.heal, number: 1)
        for _ in 0..<2 { #expect(Self.receive(sockets[1]) != nil) }
        network.stop()
    }

    // Both have wrong bits, and the receiver's kernel drops both: all that comes is what a neighbour sends afterwards.
    @Test(.timeLimit(.minutes(1)))
    func theCopyOfACorruptedPacketIsCorruptedToo() throws {
        var parameters = Self.link()
        parameters.faults = PacketFaults(duplicate: .percent(100), corrupt: .percent(100))
        let network = try EmulatedNetwork(Self.topology(parameters), seed: 5)
        let sockets = try (0..<3).map { try Self.socket(of: $0, in: network) }
        defer { for descriptor in sockets { close(descriptor) } }
        try network.begin(origin: Self.now)
        for _ in 0..<10 { Self.send(from: sockets[0], to: network.addresses[1]) }
        while network.report().errors.count < 20 { usleep(1_000) }
        Self.send(from: sockets[2], to: network.addresses[1])
        #expect(Self.receive(sockets[1]) != nil)
        var content: Int64 = 0
        #expect(recv(sockets[1], &content, 8, Int32(MSG_DONTWAIT)) == -1)
        network.stop()
    }

    @Test(.timeLimit(.minutes(1)))
    func nodesOfOneRegionShareItsOwnLinkAndStraysAreCounted() throws {
        let network = try EmulatedNetwork(Self.topology(Self.link()), seed: 5)
        let first = try Self.socket(of: 1, in: network)
        let second = try Self.socket(of: 2, in: network)
        defer {
            close(first)
            close(second)
        }
        // A time zero that lies ahead, as in every run.
        try network.begin(origin: Self.now + 30_000_000)
        // Links are numbered as declared; the region's own link comes last.
        Self.send(from: first, to: network.addresses[2])
        #expect(Self.receive(second) != nil)
        #expect(network.report().links[3].counters.arrivedPackets == 1)
        Self.send(from: first, to: IPv4Address(of: NodeID(77)))
        while network.report().strayPackets == 0 { usleep(1000) }
        #expect(network.report().links.reduce(0) { $0 + $1.counters.offeredPackets } == 1)
    }
}

/// Whether networks can be emulated here. Says once why not: a skipped test says nothing else.
private enum Privileges {
    static let suffice: Bool = {
        do {
            try EmulatedNetwork.probe()
            return true
        } catch {
            print("emulated networks are not tested here: \(error)")
            return false
        }
    }()
}
