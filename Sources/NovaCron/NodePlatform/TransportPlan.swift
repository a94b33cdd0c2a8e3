import DeltaEncoding
import Effects
import Machines
import Migration
import NodeFoundation
import Transport
import Units

/// How a node takes migrations: from its settings, the kind of network and what the machine has.
enum TransportPlan {
    /// Files that a node needs beside its streams: database, log, listeners, connections.
    static let reservedFiles = 128
    /// Of a guest's memory in the machine's.
    private static let memoryShare: Int64 = 4

    /// Parallel streams, by the settings or the kind of network.
    static func full(
        _ configuration: NodeConfiguration,
        _ encoding: EncodingConfiguration,
        _ resources: MachineResources
    ) throws(TransportFault) -> MigrationConfiguration {
        let settings = configuration.dwcp
        guard let congestion = CongestionControl(rawValue: settings.congestion) else {
            throw .unknownCongestionControl(settings.congestion)
        }
        let streams: TransportConfiguration.StreamCount
        if let count = settings.streams {
            guard (1...TransportConfiguration.streamLimit).contains(count) else {
                throw .streams(count)
            }
            streams = .fixed(count)
        } else {
            streams = .automatic
        }
        let transport = TransportConfiguration(
            link: link(configuration.environment.mode),
            streams: streams,
            congestionControl: congestion
        )
        let needed = transport.streams + reservedFiles
        guard resources.openFiles >= needed else {
            throw .openFiles(available: resources.openFiles, needed: needed)
        }
        return limited(MigrationConfiguration(transport: transport, encoding: encoding), resources)
    }

    /// One stream and pages as they are.
    static func single(_ resources: MachineResources) -> MigrationConfiguration {
        let transport = TransportConfiguration(link: link(nil), streams: .fixed(1))
        return limited(MigrationConfiguration(transport: transport, encoding: .raw), resources)
    }

    /// A path that is typical of a kind of network: it only sizes windows and the number of streams
    /// until samples of real streams are there. The figures are the modes' own limits (see
    /// `NetworkMode`).
    private static func link(_ mode: NetworkMode?) -> LinkEstimate {
        switch mode {
        case .datacenter: LinkEstimate(rate: .gigabits(10), rtt: .milliseconds(1))
        case .internet: LinkEstimate(rate: .megabits(100), rtt: .milliseconds(50))
        case .hybrid, nil: LinkEstimate(rate: .gigabits(1), rtt: .milliseconds(20))
        }
    }

    private static func limited(
        _ configuration: MigrationConfiguration,
        _ resources: MachineResources
    ) -> MigrationConfiguration {
        var result = configuration
        let pages = resources.memory.bytes / memoryShare / Int64(Page.size)
        result.pageLimit = max(1, min(result.pageLimit, Int(pages)))
        result.hostedPageLimit = max(1, Int(pages))
        return result
    }
}

/// Why the full transport cannot be had.
public enum TransportFault: Error, Hashable, Sendable, CustomStringConvertible {
    case unknownCongestionControl(String)
    case streams(Int)
    case openFiles(available: Int, needed: Int)
    /// `dwcp.encoding` is not there.
    case noEncoding

    public var description: String {
        switch self {
        case .unknownCongestionControl(let name):
            "there is no congestion control '\(name)': cubic, newreno and bbr can be chosen"
        case .streams(let count):
            "\(count) streams are not possible: 1 to 256 can be chosen"
        case .openFiles(let available, let needed):
            """
            this process may open \(available) files, its streams need \(needed): raise the limit \
            ('ulimit -n', LimitNOFILE) or set fewer streams
            """
        case .noEncoding:
            "there is no encoding that works here"
        }
    }
}
