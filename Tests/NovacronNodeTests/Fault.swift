import Foundation
import Initialization
import RealNodes
import Testing
import Units

/// A boot of the daemon in circumstances that a test has spoiled.
struct Fault {
    let boot: BootMeasurement
    /// What the program wrote for its operator beside the log: why it gave up.
    let complaints: [String]

    init(
        _ daemon: Daemon,
        variables: [String] = [],
        wrapper: [String] = []
    ) throws {
        var session = BootSession(daemon.node)
        session.variables = variables
        session.wrapper = wrapper
        boot = try #require(try session.measure())
        complaints = daemon.node.errors.split(separator: "\n").map(String.init)
            .filter { !$0.hasPrefix("{") }
    }

    /// The node gave up with this code, said why once, in a line that holds all of `words`, and left
    /// nothing behind.
    func expectRefusal(
        _ code: Int32,
        _ words: String...,
        location: SourceLocation = #_sourceLocation
    ) {
        #expect(boot.ready == nil, sourceLocation: location)
        #expect(boot.ending?.cause == .exit(code), "\(complaints)", sourceLocation: location)
        #expect(complaints.count == 1, "\(complaints)", sourceLocation: location)
        for word in words {
            let isSaid = complaints.contains { $0.contains(word) }
            #expect(isSaid, "'\(word)' in \(complaints)", sourceLocation: location)
        }
        #expect(boot.leftovers == [], sourceLocation: location)
    }

    /// The node was READY without these components, ended in order and left nothing behind.
    func expectReady(
        without degraded: [String] = [],
        location: SourceLocation = #_sourceLocation
    ) {
        #expect(boot.ready != nil, "\(complaints)", sourceLocation: location)
        #expect(boot.problems == [], "\(complaints)", sourceLocation: location)
        #expect(boot.degraded == degraded, sourceLocation: location)
    }
}

extension BootMeasurement {
    /// What the node said at READY that it lacks.
    var degraded: [String]? {
        for event in events {
            if case .ready(let names) = event.kind { return names }
        }
        return nil
    }
}

extension Daemon {
    /// A node that has lived once and ended in order.
    static func lived(configuration: String = RealNode.freePorts) throws -> Daemon {
        let daemon = try Daemon(configuration: configuration)
        try Fault(daemon).expectReady()
        return daemon
    }

    func path(_ name: String) -> String { "\(node.dataPath)/\(name)" }

    func write(_ bytes: some Sequence<UInt8>, to name: String) throws {
        try Data(bytes).write(to: URL(filePath: path(name)))
    }
}
