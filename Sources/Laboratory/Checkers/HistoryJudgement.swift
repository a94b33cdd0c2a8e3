public import Measurements
public import Units

/// Whether the histories of several independent services are linearizable, as the record of a run
/// keeps it.
public struct HistoryJudgement: Sendable {
    /// Counts the operations of histories that were decided: what nobody could decide was not checked.
    public private(set) var outcome: InvariantOutcome
    /// Why nothing is known of some history; `nil` when each was decided. No violation, and no pass.
    public private(set) var undecided: String?
    /// Where the first history that is not linearizable fails.
    public private(set) var picture: HistoryPicture?

    /// - Parameters:
    ///   - histories: one for each service; sentences call them groups, by number.
    ///   - name: of the invariant.
    ///   - time: when a violation counts that has no time of its own.
    public init(
        _ histories: [ClientHistory],
        name: String,
        limits: LinearizabilityLimits = LinearizabilityLimits(),
        at time: Instant
    ) {
        var violations: [Violation] = []
        var checked: UInt64 = 0
        for (number, history) in histories.enumerated() {
            let verification = HistoryVerification(history, limits: limits)
            switch verification.report.verdict {
            case .linearizable: checked += UInt64(verification.checked)
            case .unknown(let bound):
                undecided =
                    undecided
                    ?? "whether the history of group \(number) is linearizable was not decided "
                    + "within the bound on \(bound.rawValue)"
            case .notLinearizable:
                checked += UInt64(verification.checked)
                picture = picture ?? verification.picture
                let stuck = verification.stuck
                let what = stuck.map { history.described($0) } ?? "an answer"
                violations.append(
                    Violation(
                        time: stuck.flatMap { history.ended($0) } ?? time,
                        message: "group \(number): no order of requests explains \(what)"
                    )
                )
            }
        }
        outcome = InvariantOutcome(name: name, checked: checked, violations: violations)
    }
}

extension ClientHistory {
    /// One operation in a sentence: what was asked, and the answer.
    public func described(_ operation: Int) -> String {
        let question: String
        switch call(of: operation) {
        case .get(let key): question = "get of \(quoted(key))"
        case .put(let key, let value): question = "put of \(quoted(value)) at \(quoted(key))"
        case .append(let key, let value):
            question = "append of \(quoted(value)) at \(quoted(key))"
        case .compareAndSwap(let key, let expected, let value):
            let before = expected.map(quoted) ?? "nothing"
            question = "swap of \(quoted(value)) for \(before) at \(quoted(key))"
        case .delete(let key): question = "delete of \(quoted(key))"
        case .scan(let first, _, _): question = "scan from \(quoted(first))"
        }
        switch answer(of: operation) {
        case .value(nil): return "\(question), which found nothing"
        case .value(let value?): return "\(question), which found \(quoted(value))"
        case .swapped(let isTrue): return "\(question), which \(isTrue ? "succeeded" : "failed")"
        case .deleted(let isTrue): return "\(question), which found \(isTrue ? "it" : "nothing")"
        case .entries(let entries): return "\(question), which found \(entries.count) entries"
        case .done: return question
        case nil: return "\(question), which was not answered"
        }
    }

    /// Text that prints, whatever bytes it stands for: what is not ASCII, and no sign, as `\x0A`.
    private func quoted(_ text: String) -> String {
        var result = "'"
        for scalar in text.unicodeScalars {
            if scalar.value >= 0x20, scalar.value < 0x7f {
                result.unicodeScalars.append(scalar)
            } else {
                let digits = String(scalar.value, radix: 16, uppercase: true)
                result += "\\x" + String(repeating: "0", count: max(0, 2 - digits.count)) + digits
            }
        }
        return result + "'"
    }
}

extension String {
    /// The text that stands for bytes in a history: the character U+00NN for the byte NN (ISO 8859-1).
    ///
    /// ASCII is itself. Any bytes have one text and no other has it, texts are ordered as their bytes
    /// are, and texts joined are bytes joined, so that a model of texts is one of bytes.
    public init(historyBytes bytes: ArraySlice<UInt8>) {
        // Written as UTF-8 at once: scalar by scalar it was a tenth of a campaign's time.
        let long = bytes.count { $0 >= 0x80 }
        self.init(unsafeUninitializedCapacity: bytes.count + long) { buffer in
            var place = 0
            for byte in bytes {
                if byte < 0x80 {
                    buffer[place] = byte
                    place += 1
                } else {
                    buffer[place] = 0xC0 | byte >> 6
                    buffer[place + 1] = 0x80 | byte & 0x3F
                    place += 2
                }
            }
            return place
        }
    }
}
