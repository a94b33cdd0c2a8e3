/// The settings as other programs and people want them described, from the one list of keys.
public enum ConfigurationSchema {
    /// A Markdown table of all settings, for the handbook.
    public static var markdown: String {
        var text = "| key | value | default | meaning |\n|---|---|---|---|\n"
        let defaults = NodeConfiguration()
        for key in ConfigurationKey.all {
            let values = key.texts(defaults)
            let shown =
                key.isList && values.isEmpty ? "`[]`" : "`\(values.joined(separator: ", "))`"
            text += "| `\(key.path)` | \(key.form) | \(shown) | \(key.meaning) |\n"
        }
        return text
    }

    /// A JSON Schema (draft 2020-12) for editors.
    public static var json: String {
        let body = properties(of: "", indentation: "  ")
        return """
            {
              "$schema": "https://json-schema.org/draft/2020-12/schema",
              "title": "NovaCron node configuration",
              "type": "object",
              "additionalProperties": false,
            \(body)
            }

            """
    }

    private static func properties(of prefix: String, indentation: String) -> String {
        var names: [String] = []
        for key in ConfigurationKey.all where key.path.hasPrefix(prefix) {
            let name = String(key.path.dropFirst(prefix.count).prefix { $0 != "." })
            if names.last != name { names.append(name) }
        }
        let inner = indentation + "  "
        let members = names.map { name -> String in
            if let key = ConfigurationKey.all.first(where: { $0.path == prefix + name }) {
                return "\(inner)\"\(name)\": \(schema(of: key))"
            }
            let nested = properties(of: "\(prefix)\(name).", indentation: inner + "  ")
            return """
                \(inner)"\(name)": {
                \(inner)  "type": "object",
                \(inner)  "additionalProperties": false,
                \(nested)
                \(inner)}
                """
        }
        return
            "\(indentation)\"properties\": {\n\(members.joined(separator: ",\n"))\n\(indentation)}"
    }

    private static func schema(of key: ConfigurationKey) -> String {
        let description = "\"description\": \"\(key.meaning) (\(key.form))\""
        let type =
            switch key.schema {
            case .text: "\"type\": \"string\""
            case .integer(let range): integer(range)
            case .integerOr(let word, let range):
                "\"anyOf\": [{\"const\": \"\(word)\"}, {\(integer(range))}]"
            case .choice(let names):
                "\"enum\": [\(names.map(literal).joined(separator: ", "))]"
            case .quantity(let units):
                "\"type\": \"string\", \"pattern\": "
                    + "\"^[0-9]+(\\\\.[0-9]+)? *(\(units.joined(separator: "|")))$\""
            }
        return key.isList
            ? "{\"type\": \"array\", \"items\": {\(type)}, \(description)}"
            : "{\(type), \(description)}"
    }

    /// Numbers stand for themselves in JSON.
    private static func literal(_ name: String) -> String {
        Int(name) == nil ? "\"\(name)\"" : name
    }

    private static func integer(_ range: ClosedRange<Int>) -> String {
        "\"type\": \"integer\", \"minimum\": \(range.lowerBound), \"maximum\": \(range.upperBound)"
    }
}
