/// A JSON value whose objects keep the order of their keys.
indirect enum JSONText {
    case text(String)
    case integer(Int64)
    case number(Double)
    case flag(Bool)
    case list([JSONText])
    case object([(key: String, value: JSONText)])

    /// Indented by two spaces a level.
    func rendered(indentation: Int = 0) -> String {
        let inner = String(repeating: "  ", count: indentation + 1)
        let outer = String(repeating: "  ", count: indentation)
        switch self {
        case .text(let text): return JSONText.quotation(text)
        case .integer(let value): return "\(value)"
        case .number(let value): return QuantityText.numberText(value)
        case .flag(let value): return "\(value)"
        case .list(let elements):
            guard !elements.isEmpty else { return "[]" }
            let lines = elements.map { inner + $0.rendered(indentation: indentation + 1) }
            return "[\n\(lines.joined(separator: ",\n"))\n\(outer)]"
        case .object(let members):
            guard !members.isEmpty else { return "{}" }
            let lines = members.map { member in
                let value = member.value.rendered(indentation: indentation + 1)
                return "\(inner)\(JSONText.quotation(member.key)): \(value)"
            }
            return "{\n\(lines.joined(separator: ",\n"))\n\(outer)}"
        }
    }

    private static func quotation(_ text: String) -> String {
        var quoted = "\""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\"": quoted += "\\\""
            case "\\": quoted += "\\\\"
            case "\n": quoted += "\\n"
            case _ where scalar.value < 0x20:
                let digits = String(scalar.value, radix: 16)
                quoted += "\\u" + String(repeating: "0", count: 4 - digits.utf8.count) + digits
            default: quoted.unicodeScalars.append(scalar)
            }
        }
        return quoted + "\""
    }
}
