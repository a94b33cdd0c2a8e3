import LinkModel
import Units

/// The form in which imported traces are kept: text that says where it came from.
///
/// ```
/// novalab-trace 1
/// source FILE-NAME
/// form steps | opportunities
/// ending repeat | hold
/// length NANOSECONDS
/// NANOSECONDS [BITS-A-SECOND]
/// ```
enum KeptTrace {
    static let heading = "novalab-trace 1"
    static let fileExtension = "trace"

    static func encode(_ trace: RateTrace, source: String) -> [UInt8] {
        var text = "\(heading)\nsource \(source)\n"
        switch trace.form {
        case .steps(let starts, let rates):
            text += "form steps\nending \(trace.ending.rawValue)\n"
            text += "length \(trace.length.nanoseconds)\n"
            for (start, rate) in zip(starts, rates) { text += "\(start) \(rate)\n" }
        case .opportunities(let times):
            text += "form opportunities\nending \(trace.ending.rawValue)\n"
            text += "length \(trace.length.nanoseconds)\n"
            for time in times { text += "\(time)\n" }
        }
        return Array(text.utf8)
    }

    static func isKept(_ bytes: [UInt8]) -> Bool { bytes.starts(with: Array(heading.utf8)) }

    /// - Parameter ending: replaces the kept one, unless that is impossible.
    static func decode(
        _ bytes: [UInt8],
        ending: RateTrace.Ending?
    ) throws(RateTraceProblem) -> RateTrace {
        var lines = TextLines(bytes)
        _ = lines.next()
        var values: [String] = []
        for key in ["source", "form", "ending", "length"] {
            guard let line = lines.next(), line.text.hasPrefix(key) else {
                throw RateTraceProblem(line: values.count + 2, "it does not say its \(key)")
            }
            values.append(line.text.dropFirst(key.count + 1).description)
        }
        guard let kept = RateTrace.Ending(rawValue: values[2]), let length = Int64(values[3]),
            length >= 0, length <= RateTrace.lengthLimit.nanoseconds,
            ["steps", "opportunities"].contains(values[1])
        else { throw RateTraceProblem(line: 3, "its form, ending or length has no meaning") }
        let isSteps = values[1] == "steps"
        var times: [Int64] = []
        var rates: [Int64] = []
        var places: [Int] = []
        while let line = lines.next() {
            let words = line.words(separatedBy: TextLines.blank)
            guard words.count == (isSteps ? 2 : 1), times.count < RateTrace.limit,
                let time = Int64(words[0]), let rate = Int64(words[words.count - 1])
            else {
                throw RateTraceProblem(line: line.number, "'\(line.shortened)' is not an entry")
            }
            times.append(time)
            places.append(line.number)
            if isSteps { rates.append(rate) }
        }
        do throws(RateTraceError) {
            return try RateTrace(
                isSteps ? .steps(starts: times, rates: rates) : .opportunities(times),
                ending: isSteps ? ending ?? kept : kept,
                length: Interval(nanoseconds: length)
            )
        } catch {
            throw RateTraceProblem(error, places)
        }
    }
}
