import Foundation
import Initialization

/// Cuts what a node tells into lines and reads each as a report. Whatever the bytes are, nothing but
/// garbage comes of it, and no more than a line is kept.
package struct ReportLines {
    private var pending: [UInt8] = []
    private var start = 0
    private var isSkipping = false
    private var isFinished = false
    private let decoder = JSONDecoder()

    package init() {}

    /// Longer lines are no reports; a graph of a hundred components needs a fifth of that.
    package static let lineLimit = 1 << 16
    /// Of a line that is no report, this much is quoted.
    private static let quoteLimit = 120

    package mutating func append(_ bytes: some Sequence<UInt8>) {
        pending += bytes
    }

    /// Nothing comes any more: what is left is a cut line.
    package mutating func finish() {
        isFinished = true
    }

    /// The next whole line; `nil` when there is none yet.
    package mutating func next() -> NodeProcess.Hearing? {
        while true {
            guard let end = pending[start...].firstIndex(of: 10) else {
                return rest()
            }
            let line = pending[start..<end]
            start = end + 1
            if isSkipping {
                isSkipping = false
                continue
            }
            guard line.count <= ReportLines.lineLimit else { return garbage(line) }
            if let report = try? decoder.decode(NodeReport.self, from: Data(line)) {
                return .report(report)
            }
            return garbage(line)
        }
    }

    private mutating func rest() -> NodeProcess.Hearing? {
        pending.removeSubrange(..<start)
        start = 0
        let isLong = pending.count > ReportLines.lineLimit
        guard isLong || isFinished, !pending.isEmpty else { return nil }
        defer {
            pending = []
            isSkipping = isLong
        }
        return isSkipping ? nil : garbage(pending[...])
    }

    private func garbage(_ line: ArraySlice<UInt8>) -> NodeProcess.Hearing {
        .garbage(String(decoding: line.prefix(ReportLines.quoteLimit), as: UTF8.self))
    }
}
