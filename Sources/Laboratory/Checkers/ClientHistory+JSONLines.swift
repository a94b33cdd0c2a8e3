import JSON
import Units

/// Histories as files: one event a line, in the order in which they happened.
///
/// ```
/// {"time":1000,"process":3,"type":"invoke","operation":"put","key":"a","value":"1","intended":900}
/// {"time":2500,"process":3,"type":"ok"}
/// {"time":2600,"process":3,"type":"invoke","operation":"get","key":"a"}
/// {"time":3100,"process":3,"type":"ok","value":"1"}
/// ```
///
/// Times are nanoseconds on one clock and never decrease. `type` is `invoke`, `ok` (answered),
/// `fail` (surely did not happen) or `unknown` (given up). Calls are `get` (key), `put` and
/// `append` (key, value), `cas` (key, `expected`, which may be null, value), `delete` (key) and
/// `scan` (`first`, `end`, `limit`, the last two may be left out). An answer carries `value` (text
/// or null) for get, `swapped` for cas, `existed` for delete where it is known, and `entries`, a
/// list of pairs, for scan. An end belongs to the open operation of its process. Empty lines are
/// skipped.
extension ClientHistory {
    /// The longest line that is read.
    public static let lineLimit = 16 << 20

    public var jsonLines: String {
        var text = ""
        for (operation, isEnd) in events {
            let time = isEnd ? ended(operation) : called(operation)
            text += "{\"time\":\((time ?? .zero).nanoseconds),\"process\":\(process(of: operation))"
            text += isEnd ? endFields(operation) : callFields(operation)
            text += "}\n"
        }
        return text
    }

    private func callFields(_ operation: Int) -> String {
        var text = ",\"type\":\"invoke\""
        switch call(of: operation) {
        case .get(let key): text += ",\"operation\":\"get\",\"key\":\(JSONValue.quoted(key))"
        case .put(let key, let value):
            text += ",\"operation\":\"put\",\"key\":\(JSONValue.quoted(key))"
            text += ",\"value\":\(JSONValue.quoted(value))"
        case .append(let key, let value):
            text += ",\"operation\":\"append\",\"key\":\(JSONValue.quoted(key))"
            text += ",\"value\":\(JSONValue.quoted(value))"
        case .compareAndSwap(let key, let expected, let value):
            text += ",\"operation\":\"cas\",\"key\":\(JSONValue.quoted(key))"
            text += ",\"expected\":\(expected.map { JSONValue.quoted($0) } ?? "null")"
            text += ",\"value\":\(JSONValue.quoted(value))"
        case .delete(let key): text += ",\"operation\":\"delete\",\"key\":\(JSONValue.quoted(key))"
        case .scan(let first, let end, let limit):
            text += ",\"operation\":\"scan\",\"first\":\(JSONValue.quoted(first))"
            if let end { text += ",\"end\":\(JSONValue.quoted(end))" }
            if let limit { text += ",\"limit\":\(limit)" }
        }
        if intended(of: operation) != called(operation) {
            text += ",\"intended\":\(intended(of: operation).nanoseconds)"
        }
        return text
    }

    private func endFields(_ operation: Int) -> String {
        guard let answer = answer(of: operation) else {
            let isFailed = outcome(of: operation) == .failed
            return isFailed ? ",\"type\":\"fail\"" : ",\"type\":\"unknown\""
        }
        let text = ",\"type\":\"ok\""
        switch answer {
        case .done: return text
        case .value(let value):
            return text + ",\"value\":\(value.map { JSONValue.quoted($0) } ?? "null")"
        case .swapped(let isTrue): return text + ",\"swapped\":\(isTrue)"
        case .deleted(let isTrue): return text + ",\"existed\":\(isTrue)"
        case .entries(let entries):
            let pairs = entries.map {
                "[\(JSONValue.quoted($0.key)),\(JSONValue.quoted($0.value))]"
            }
            return text + ",\"entries\":[\(pairs.joined(separator: ","))]"
        }
    }

    /// Reads what ``jsonLines`` writes.
    public static func parse(
        jsonLines bytes: some Collection<UInt8>
    ) throws(HistoryError) -> ClientHistory {
        var history = ClientHistory()
        var lastTime = Int64.min
        var number = 0
        for line in bytes.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false) {
            number += 1
            guard line.contains(where: { $0 > 0x20 }) else { continue }
            do throws(JSONProblem) {
                guard line.count <= lineLimit else {
                    throw JSONProblem("the line is too long")
                }
                var event = EventFields(try JSONLine.object(Array(line)))
                try history.take(&event, &lastTime)
            } catch {
                throw .line(number, problem: error.text)
            }
        }
        return history
    }

    private mutating func take(
        _ event: inout EventFields,
        _ lastTime: inout Int64
    ) throws(JSONProblem) {
        let time = try event.integer("time")
        guard time >= lastTime else {
            throw JSONProblem("time \(time) is before \(lastTime), that of an earlier line")
        }
        guard let process = Int32(exactly: try event.integer("process")), process >= 0 else {
            throw JSONProblem("'process' is a number from 0 to \(Int32.max)")
        }
        guard eventCount < Int(Int32.max) - 1 else { throw JSONProblem("too many events") }
        let type = try event.text("type")
        let instant = Instant(nanoseconds: time)
        if type == "invoke" {
            guard openOperation(of: process) == nil else {
                throw JSONProblem("process \(process) has not ended its operation yet")
            }
            let call = try event.call()
            let intended = try event.optionalInteger("intended") ?? time
            try event.finish()
            _ = invoke(
                process: process,
                call,
                intended: Instant(nanoseconds: intended),
                at: instant
            )
        } else {
            guard let operation = openOperation(of: process) else {
                throw JSONProblem("process \(process) has no open operation")
            }
            try event.end(kind(of: operation), type) { outcome, answer in
                switch outcome {
                case .failed: fail(operation, at: instant)
                case .answered: if let answer { self.answer(operation, answer, at: instant) }
                case .unknown, .open: giveUp(operation, at: instant)
                }
            }
        }
        lastTime = time
    }
}

/// The fields of one line, taken one by one, so that what nobody asked for is an error.
private struct EventFields {
    private var fields: [String: JSONValue]

    init(_ fields: [String: JSONValue]) {
        self.fields = fields
    }

    private mutating func take(_ name: String) throws(JSONProblem) -> JSONValue {
        guard let value = fields.removeValue(forKey: name) else {
            throw JSONProblem("'\(name)' is missing")
        }
        return value
    }

    mutating func integer(_ name: String) throws(JSONProblem) -> Int64 {
        guard case .integer(let value) = try take(name) else {
            throw JSONProblem("'\(name)' is no whole number")
        }
        return value
    }

    mutating func optionalInteger(_ name: String) throws(JSONProblem) -> Int64? {
        fields[name] == nil ? nil : try integer(name)
    }

    mutating func text(_ name: String) throws(JSONProblem) -> String {
        guard case .text(let value) = try take(name) else {
            throw JSONProblem("'\(name)' is no text")
        }
        return value
    }

    mutating func textOrNull(_ name: String) throws(JSONProblem) -> String? {
        switch try take(name) {
        case .null: return nil
        case .text(let value): return value
        case .integer, .boolean, .list, .real, .object:
            throw JSONProblem("'\(name)' is neither text nor null")
        }
    }

    mutating func boolean(_ name: String) throws(JSONProblem) -> Bool {
        guard case .boolean(let value) = try take(name) else {
            throw JSONProblem("'\(name)' is neither true nor false")
        }
        return value
    }

    mutating func call() throws(JSONProblem) -> ClientHistory.Call {
        let name = try text("operation")
        switch name {
        case "get": return .get(key: try text("key"))
        case "put": return .put(key: try text("key"), value: try text("value"))
        case "append": return .append(key: try text("key"), value: try text("value"))
        case "cas":
            let expected = try textOrNull("expected")
            return .compareAndSwap(
                key: try text("key"),
                expected: expected,
                value: try text("value")
            )
        case "delete": return .delete(key: try text("key"))
        case "scan":
            let first = try text("first")
            let end = fields["end"] == nil ? nil : try textOrNull("end")
            let limit = try optionalInteger("limit")
            guard limit.map({ (0...Int64(Int32.max)).contains($0) }) ?? true else {
                throw JSONProblem("'limit' is a number from 0 to \(Int32.max)")
            }
            return .scan(first: first, end: end, limit: limit.map { Int($0) })
        default: throw JSONProblem("there is no operation '\(name)'")
        }
    }

    mutating func end(
        _ kind: ClientHistory.Kind,
        _ type: String,
        _ close: (ClientHistory.Outcome, ClientHistory.Answer?) -> Void
    ) throws(JSONProblem) {
        switch type {
        case "ok":
            let answer = try answer(kind)
            try finish()
            close(.answered, answer)
        case "fail":
            try finish()
            close(.failed, nil)
        case "unknown":
            try finish()
            close(.unknown, nil)
        default:
            throw JSONProblem("'type' is invoke, ok, fail or unknown, not '\(type)'")
        }
    }

    private mutating func answer(
        _ kind: ClientHistory.Kind
    ) throws(JSONProblem) -> ClientHistory.Answer {
        switch kind {
        case .get: return .value(try textOrNull("value"))
        case .put, .append: return .done
        case .compareAndSwap: return .swapped(try boolean("swapped"))
        case .delete: return fields["existed"] == nil ? .done : .deleted(try boolean("existed"))
        case .scan:
            guard case .list(let items) = try take("entries") else {
                throw JSONProblem("'entries' is no list")
            }
            var entries: [ClientHistory.Entry] = []
            for item in items {
                guard case .list(let pair) = item, pair.count == 2, case .text(let key) = pair[0],
                    case .text(let value) = pair[1]
                else { throw JSONProblem("an entry is a list of two texts") }
                entries.append(ClientHistory.Entry(key: key, value: value))
            }
            return .entries(entries)
        }
    }

    /// Nothing may be left over.
    func finish() throws(JSONProblem) {
        if let name = fields.keys.min() { throw JSONProblem("'\(name)' does not belong here") }
    }
}
