import Foundation
import LinkEmulator
import LinkModel
import NetworkModel
import Synchronization
import Units

/// How many packets a second an emulated link carries, and how exactly: datagrams of 100 bytes at
/// rising rates from one namespace to another, each counted by the emulator. Needs root.
///
///     swift run -c release emulator-rate
///
/// Ends with 1 when no rate of 100,000 packets a second or more was carried with a delay error below 1 ms
/// (99th percentile) and an unintended loss below 0.01 %.
@main
struct EmulatorRate {
    private static let rates = [20_000, 50_000, 100_000, 125_000, 150_000, 200_000, 250_000]
    private static let seconds = 4
    private static let payload = 100

    static func main() throws {
        print("offered/s    carried/s  missed  delay error p50  p99     max")
        var best = 0
        for rate in rates {
            let outcome = try measure(rate)
            print(outcome.line)
            if outcome.isExact { best = max(best, outcome.carried) }
        }
        print("most that was carried exactly: \(best) packets a second")
        exit(best >= 100_000 ? 0 : 1)
    }

    private static func measure(_ rate: Int) throws -> Outcome {
        let parameters = LinkParameters(
            rate: .gigabits(10),
            propagation: .milliseconds(5),
            queueLimit: .mebibytes(64)
        )
        let network = try EmulatedNetwork(
            Topology(
                regionCount: 2,
                nodes: [RegionID(0), RegionID(1)],
                links: [
                    .init(from: RegionID(0), to: RegionID(1), parameters),
                    .init(from: RegionID(1), to: RegionID(0), parameters),
                ]
            ),
            seed: 1
        )
        let receiver = try DatagramSocket(of: 1, in: network)
        let sender = try DatagramSocket(of: 0, in: network)
        defer {
            receiver.close()
            sender.close()
        }
        try network.begin(origin: DatagramSocket.now)
        let sent = sender.send(
            to: network.addresses[1],
            bytes: payload,
            perSecond: rate,
            seconds: seconds
        )
        // What is under way arrives within the propagation; the queue is that of 10 Gbit/s.
        let end = DatagramSocket.now + 500_000_000
        var report = network.report()
        while report.links[0].counters.arrivedPackets < UInt64(sent.packets),
            DatagramSocket.now < end
        {
            usleep(2000)
            report = network.report()
        }
        network.stop()
        return Outcome(rate: rate, sent: sent, report: report)
    }

    struct Outcome {
        let rate: Int
        let sent: (packets: Int, nanoseconds: Int64)
        let report: EmulatorReport

        var carried: Int {
            Int(Double(report.links[0].counters.arrivedPackets) * 1e9 / Double(sent.nanoseconds))
        }

        var isExact: Bool {
            (report.errors.microseconds(0.99) ?? .max) < 1000 && report.unintendedLoss < 1e-4
        }

        var line: String {
            let errors = report.errors
            func milliseconds(_ microseconds: Int?) -> String {
                microseconds.map { String(format: "%.3f ms", Double($0) / 1000) } ?? "–"
            }
            let offered = Int(Double(sent.packets) * 1e9 / Double(sent.nanoseconds))
            return String(format: "%9d  %11d  %6d  ", offered, carried, report.packetsMissed)
                + "\(milliseconds(errors.microseconds(0.5)))         "
                + "\(milliseconds(errors.microseconds(0.99)))  "
                + milliseconds(Int(errors.maximumNanoseconds / 1000))
        }
    }
}

/// A datagram socket in a node's namespace.
struct DatagramSocket {
    private let descriptor: Int32

    static var now: Int64 {
        var time = timespec()
        clock_gettime(CLOCK_MONOTONIC, &time)
        return Int64(time.tv_sec) * 1_000_000_000 + Int64(time.tv_nsec)
    }

    /// Made on a thread of its own, because a thread that enters a namespace stays there.
    init(of node: Int, in network: EmulatedNetwork) throws {
        let made = Mutex<Result<Int32, any Error>>(.success(-1))
        let done = DispatchSemaphore(value: 0)
        let (path, address) = (network.namespaces[node], network.addresses[node])
        Thread.detachNewThread {
            let result = Result {
                try NetworkNamespace.enter(path)
                let descriptor = Glibc.socket(AF_INET, Int32(SOCK_DGRAM.rawValue), 0)
                var place = DatagramSocket.place(address)
                let bound = withUnsafePointer(to: &place) {
                    $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                        bind(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
                    }
                }
                guard descriptor >= 0, bound == 0 else { throw POSIXError(.EADDRNOTAVAIL) }
                return descriptor
            }
            made.withLock { $0 = result }
            done.signal()
        }
        done.wait()
        descriptor = try made.withLock { try $0.get() }
    }

    func close() { Glibc.close(descriptor) }

    private static func place(_ address: IPv4Address) -> sockaddr_in {
        var place = sockaddr_in()
        place.sin_family = sa_family_t(AF_INET)
        place.sin_port = UInt16(5000).bigEndian
        place.sin_addr.s_addr = address.rawValue.bigEndian
        return place
    }

    /// Sends on a schedule of half-millisecond batches, none of them skipped when one is late.
    func send(
        to address: IPv4Address,
        bytes: Int,
        perSecond: Int,
        seconds: Int
    ) -> (packets: Int, nanoseconds: Int64) {
        var place = DatagramSocket.place(address)
        let content = [UInt8](repeating: 7, count: bytes)
        let start = DatagramSocket.now
        var sent = 0
        withUnsafePointer(to: &place) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { target in
                let size = socklen_t(MemoryLayout<sockaddr_in>.size)
                while sent < perSecond * seconds {
                    let elapsed = DatagramSocket.now - start
                    let due = min(perSecond * seconds, Int(elapsed) * perSecond / 1_000_000_000)
                    while sent < due {
                        _ = sendto(descriptor, content, bytes, 0, target, size)
                        sent += 1
                    }
                    usleep(500)
                }
            }
        }
        return (sent, DatagramSocket.now - start)
    }
}
