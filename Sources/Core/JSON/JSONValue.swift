/// A JSON value (RFC 8259); the members of an object keep their order.
///
/// Written without Foundation, so that code that must behave the same everywhere can write JSON, and
/// byte for byte the same.
public enum JSONValue: Sendable {
    case null
    case boolean(Bool)
    case integer(Int64)
    /// Not a number and infinities are written as `null`.
    case real(Double)
    case text(String)
    case list([JSONValue])
    case object([(key: String, value: JSONValue)])

    public static func optional(_ text: String?) -> JSONValue { text.map { .text($0) } ?? .null }

    /// On one line, without spaces.
    public var compact: String {
        switch self {
        case .null, .boolean, .integer, .real, .text: scalar
        case .list(let values): "[\(values.map(\.compact).joined(separator: ","))]"
        case .object(let members):
            "{"
                + members.map { "\(JSONValue.quoted($0.key)):\($0.value.compact)" }
                .joined(separator: ",") + "}"
        }
    }

    /// A line for each value, indented by two spaces a level.
    public func indented(level: Int = 0) -> String {
        let inner = String(repeating: "  ", count: level + 1)
        let outer = String(repeating: "  ", count: level)
        switch self {
        case .null, .boolean, .integer, .real, .text: return scalar
        case .list(let elements):
            guard !elements.isEmpty else { return "[]" }
            let lines = elements.map { inner + $0.indented(level: level + 1) }
            return "[\n\(lines.joined(separator: ",\n"))\n\(outer)]"
        case .object(let members):
            guard !members.isEmpty else { return "{}" }
            let lines = members.map { member in
                let value = member.value.indented(level: level + 1)
                return "\(inner)\(JSONValue.quoted(member.key)): \(value)"
            }
            return "{\n\(lines.joined(separator: ",\n"))\n\(outer)}"
        }
    }

    private var scalar: String {
        switch self {
        case .boolean(let value): value ? "true" : "false"
        case .integer(let value): String(value)
        case .real(let value): value.isFinite ? "\(value)" : "null"
        case .text(let value): JSONValue.quoted(value)
        case .null, .list, .object: "null"
        }
    }

    /// A text with its quotation marks; control characters are escaped.
    public static func quoted(_ value: String) -> String {
        var text = "\""
        for scalar in value.unicodeScalars {
            switch scalar {
            case "\"": text += "\\\""
            case "\\": text += "\\\\"
            case "\n": text += "\\n"
            case "\r": text += "\\r"
            case "\t": text += "\\t"
            case _ where scalar.value < 0x20:
                let digits = String(scalar.value, radix: 16)
                text += "\\u" + String(repeating: "0", count: 4 - digits.utf8.count) + digits
            default: text.unicodeScalars.append(scalar)
            }
        }
        return text + "\""
    }
}
