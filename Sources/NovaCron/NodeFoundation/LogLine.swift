import Logging

/// One record of the log as a JSON object (RFC 8259) on one line of bounded length.
struct LogLine {
    /// No line is longer, whatever is logged.
    static let byteLimit = 16_384
    private static let nameLimit = 256
    private static let messageLimit = 4_096
    private static let keyLimit = 128
    private static let valueLimit = 1_024
    private static let metadataLimit = 8_192
    private static let depthLimit = 4

    private(set) var text = "{"

    /// Text of a known form, such as a time or a level.
    mutating func add(_ key: String, plain value: String) {
        separate()
        text += "\"\(key)\":\"\(value)\""
    }

    /// What a message or a name says; cut with `…` when it is too long.
    mutating func add(name: String, as key: String) {
        separate()
        text += "\"\(key)\":"
        LogLine.append(name, to: &text, limit: LogLine.nameLimit)
    }

    mutating func add(message: String) {
        separate()
        text += "\"message\":"
        LogLine.append(message, to: &text, limit: LogLine.messageLimit)
    }

    /// Keys in their order; what does not fit is left out, and `truncated` says so.
    mutating func add(_ metadata: Logger.Metadata) {
        guard !metadata.isEmpty else { return }
        separate()
        text += "\"metadata\":"
        var budget = LogLine.metadataLimit
        var isCut = false
        LogLine.append(.dictionary(metadata), to: &text, &budget, depth: 0, &isCut)
        if isCut { text += ",\"truncated\":true" }
    }

    mutating func end() {
        text += "}"
    }

    private mutating func separate() {
        if text.utf8.count > 1 { text += "," }
    }

    private static func append(
        _ value: Logger.MetadataValue,
        to text: inout String,
        _ budget: inout Int,
        depth: Int,
        _ isCut: inout Bool
    ) {
        let start = text.utf8.count
        defer { budget -= text.utf8.count - start }
        switch value {
        case .string(let string): append(string, to: &text, limit: valueLimit)
        case .stringConvertible(let value): append("\(value)", to: &text, limit: valueLimit)
        case .dictionary, .array:
            guard depth < depthLimit else {
                isCut = true
                text += "\"…\""
                return
            }
            appendCompound(value, to: &text, budget, depth: depth, &isCut)
        }
    }

    private static func appendCompound(
        _ value: Logger.MetadataValue,
        to text: inout String,
        _ budget: Int,
        depth: Int,
        _ isCut: inout Bool
    ) {
        var members: [(key: String?, value: Logger.MetadataValue)] = []
        var isObject = false
        if case .dictionary(let dictionary) = value {
            isObject = true
            let keys = dictionary.keys.sorted()
            members = keys.compactMap { key in dictionary[key].map { (key, $0) } }
        } else if case .array(let elements) = value {
            members = elements.map { (nil, $0) }
        }
        var rest = budget
        text += isObject ? "{" : "["
        for (index, member) in members.enumerated() {
            // The longest scalar and its key must fit.
            guard rest > keyLimit + valueLimit + 32 else {
                isCut = true
                break
            }
            let start = text.utf8.count
            if index > 0 { text += "," }
            if let key = member.key {
                append(key, to: &text, limit: keyLimit)
                text += ":"
            }
            rest -= text.utf8.count - start
            append(member.value, to: &text, &rest, depth: depth + 1, &isCut)
        }
        text += isObject ? "}" : "]"
    }

    /// A JSON string of at most `limit` bytes between its quotes, cut between characters.
    private static func append(_ value: String, to text: inout String, limit: Int) {
        text += "\""
        var used = 0
        for scalar in value.unicodeScalars {
            let escaped = escape(scalar)
            let length = escaped?.utf8.count ?? UTF8.width(scalar)
            // Three bytes for the sign that tells the cut.
            guard used + length + 3 <= limit else {
                text += "…"
                break
            }
            used += length
            if let escaped { text += escaped } else { text.unicodeScalars.append(scalar) }
        }
        text += "\""
    }

    /// `nil` when the character may stand for itself. Other controls and separators of lines are
    /// escaped too, since terminals and some readers act on them.
    private static func escape(_ scalar: Unicode.Scalar) -> String? {
        switch scalar {
        case "\"": return "\\\""
        case "\\": return "\\\\"
        case "\n": return "\\n"
        case "\r": return "\\r"
        case "\t": return "\\t"
        case "\u{0}"..."\u{1F}", "\u{7F}"..."\u{9F}", "\u{2028}", "\u{2029}":
            let digits = String(scalar.value, radix: 16)
            return "\\u" + String(repeating: "0", count: 4 - digits.utf8.count) + digits
        case _: return nil
        }
    }
}
