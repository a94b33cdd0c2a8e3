import Determinism
import Effects
import Foundation
import Initialization
import Testing
import Units

import RealNodes

/// Goal: whatever bytes arrive where a node tells its reports, each whole line gives one report or
/// one piece of garbage, and memory stays bounded.
/// Method: reports cut at every place; seeded noise and damaged reports.
@Suite struct ReportLinesTests {
    private static let reports: [NodeReport] = [
        .started(process: 7, origin: 123),
        .lifecycle(LifecycleEvent(time: Instant(nanoseconds: 5), kind: .stopRequested), cpu: nil),
        .lifecycle(
            LifecycleEvent(
                time: Instant(nanoseconds: 9),
                kind: .componentReady(component: "cache", fallback: nil)
            ),
            cpu: .milliseconds(3)
        ),
        .reached(step: "ready", side: .after, time: .zero),
        .ended(.stopped(left: ["a"])),
    ]

    private static func bytes(_ reports: [NodeReport]) throws -> [UInt8] {
        try reports.flatMap { try JSONEncoder().encode($0) + [10] }
    }

    private static func read(_ lines: inout ReportLines) -> [NodeProcess.Hearing] {
        var heard: [NodeProcess.Hearing] = []
        while let hearing = lines.next() { heard.append(hearing) }
        return heard
    }

    @Test func reportsArriveWhereverTheyAreCut() throws {
        let bytes = try Self.bytes(Self.reports)
        for cut in bytes.indices {
            var lines = ReportLines()
            lines.append(bytes[..<cut])
            var heard = Self.read(&lines)
            lines.append(bytes[cut...])
            heard += Self.read(&lines)
            #expect(heard == Self.reports.map { .report($0) })
        }
    }

    @Test func aCutLastLineIsGarbage() throws {
        var lines = ReportLines()
        lines.append(try Self.bytes(Self.reports).dropLast(5))
        lines.finish()
        let heard = Self.read(&lines)
        #expect(heard.dropLast() == Self.reports.dropLast().map { .report($0) }[...])
        guard case .garbage? = heard.last else {
            Issue.record("\(heard)")
            return
        }
    }

    @Test func aLineWithoutEndIsNotKept() throws {
        var lines = ReportLines()
        var garbage = 0
        for _ in 0..<100 {
            lines.append([UInt8](repeating: 65, count: ReportLines.lineLimit / 2))
            garbage += Self.read(&lines).count
        }
        #expect(garbage == 1)
        lines.append([10])
        lines.append(try Self.bytes(Self.reports))
        #expect(Self.read(&lines) == Self.reports.map { .report($0) })
    }

    @Test func noiseGivesGarbageOnly() throws {
        var random = SeededRandom(seed: 42, entity: EntityID(.node, 0), purpose: "noise")
        let whole = try Self.bytes(Self.reports)
        for _ in 0..<20_000 {
            var bytes = Array(whole.prefix(Int(random.next() % UInt64(whole.count))))
            for _ in 0..<4 where !bytes.isEmpty {
                bytes[Int(random.next() % UInt64(bytes.count))] = UInt8(
                    truncatingIfNeeded: random.next()
                )
            }
            var lines = ReportLines()
            lines.append(bytes)
            lines.finish()
            let ends = bytes.count { $0 == 10 }
            #expect(Self.read(&lines).count <= ends + 1)
        }
    }
}
