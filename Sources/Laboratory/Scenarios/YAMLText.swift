/// Writes the block form of YAML that this language needs: mappings, lists of mappings, scalars.
struct YAMLText {
    private(set) var text = ""
    private var indentation = 0
    /// Set after a dash, whose line the next key continues.
    private var continuesLine = false

    /// A key with a value that is safe as plain text.
    mutating func field(_ key: String, _ value: some CustomStringConvertible) {
        line("\(key): \(value)")
    }

    /// A key with text that somebody chose.
    mutating func quoted(_ key: String, _ value: String) {
        line("\(key): \(YAMLText.quotation(value))")
    }

    /// A key with names in brackets.
    mutating func names(_ key: String, _ names: [String]) {
        line("\(key): [\(names.map(YAMLText.name).joined(separator: ", "))]")
    }

    /// A key with a mapping below it.
    mutating func mapping(_ key: String, _ body: (inout YAMLText) -> Void) {
        line("\(key):")
        indented(body)
    }

    /// A key with a list of mappings below it; `[]` when there are none.
    mutating func list<Element>(
        _ key: String,
        _ elements: [Element],
        _ body: (inout YAMLText, Element) -> Void
    ) {
        guard !elements.isEmpty else { return line("\(key): []") }
        line("\(key):")
        for element in elements {
            indented { text in
                text.text += String(repeating: "  ", count: text.indentation) + "- "
                text.continuesLine = true
                text.indented { body(&$0, element) }
            }
        }
    }

    private mutating func indented(_ body: (inout YAMLText) -> Void) {
        indentation += 1
        body(&self)
        indentation -= 1
    }

    private mutating func line(_ content: String) {
        if !continuesLine { text += String(repeating: "  ", count: indentation) }
        continuesLine = false
        text += content + "\n"
    }

    /// A name, quoted where YAML would read nothing.
    static func name(_ name: String) -> String {
        name == "null" ? quotation(name) : name
    }

    /// Text in double quotes. Line breaks cannot occur: the checker refuses them.
    static func quotation(_ text: String) -> String {
        var quoted = "\""
        for scalar in text.unicodeScalars {
            if scalar == "\"" || scalar == "\\" { quoted += "\\" }
            quoted.unicodeScalars.append(scalar)
        }
        return quoted + "\""
    }
}
