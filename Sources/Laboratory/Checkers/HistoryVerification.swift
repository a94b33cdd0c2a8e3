import Foundation
import Units

/// A recorded client history from a file, and the verdict on it: what `novalab verify` does.
public enum HistoryFile {
    /// The largest file that is read.
    public static let byteLimit = 2 << 30

    public static func read(_ path: String) throws(HistoryError) -> ClientHistory {
        let bytes: Data
        do {
            let attributes = try FileManager.default.attributesOfItem(atPath: path)
            let size = (attributes[.size] as? NSNumber)?.intValue ?? 0
            guard size <= byteLimit else {
                throw HistoryError.tooLarge(path: path, bytes: size, limit: byteLimit)
            }
            bytes = try Data(contentsOf: URL(filePath: path), options: .mappedIfSafe)
        } catch let error as HistoryError {
            throw error
        } catch {
            throw .unreadable(path: path, reason: (error as NSError).localizedDescription)
        }
        return try ClientHistory.parse(jsonLines: [UInt8](bytes))
    }
}

/// The verdict on a client history, in terms of the history's own operations.
public struct HistoryVerification: Sendable {
    public var report: LinearizabilityReport
    /// Operations that were checked: all but those that surely did not happen.
    public var checked: Int
    /// Where it fails, for people; empty when it does not.
    public var explanation: [String] = []
    /// The operation of the history whose answer nothing explains; `nil` when there is none.
    public var stuck: Int?
    /// The picture of the failure; `nil` when there is none.
    public var picture: HistoryPicture?

    /// - Parameter initial: the value of every key at the beginning; `nil` for none.
    public init(
        _ history: ClientHistory,
        initial: String? = nil,
        limits: LinearizabilityLimits = LinearizabilityLimits(),
        dropsUnobserved: Bool = true
    ) {
        let (model, operations, numbers) = KeyValueModel.prepare(history, initial: initial)
        let checker = LinearizabilityChecker(
            model,
            limits: limits,
            dropsUnobserved: dropsUnobserved
        )
        report = checker.check(operations)
        checked = operations.count
        guard let failure = report.failure else { return }
        let bars = operations.map { observed in
            HistoryPicture.Bar(
                process: observed.process,
                label: model.describe(observed.operation),
                called: observed.called,
                returned: observed.returned
            )
        }
        picture = HistoryPicture(bars: bars, failure: failure)
        let stuck = numbers[failure.stuck]
        self.stuck = stuck
        let last = failure.part.first { operations[$0].returned == failure.end } ?? failure.stuck
        let length = failure.part.filter { operations[$0].called <= failure.end }.count
        explanation = [
            "the shortest failing prefix has \(length) operations on its keys and ends with "
                + "'\(bars[last].label)' of process \(bars[last].process) at "
                + "\(history.ended(numbers[last]) ?? .zero)"
                + (failure.isMinimal ? "" : "; a shorter one may exist, a bound was reached"),
            "no order explains '\(bars[failure.stuck].label)' of process "
                + "\(bars[failure.stuck].process), called at \(history.called(stuck))",
            "the deepest order found, of length \(failure.linearized.count), leaves the value "
                + failure.state,
        ]
    }
}
