/// A YAML document as the checker sees it: aliases expanded, merge keys merged, every part with its
/// place in the file.
struct DocumentNode: Hashable, Sendable {
    var location: SourceLocation
    var content: Content

    indirect enum Content: Hashable, Sendable {
        /// `isPlain` is false for quoted text and blocks, which are never null.
        case scalar(String, isPlain: Bool)
        case list([DocumentNode])
        /// In file order, keys unique.
        case mapping([Entry])
    }

    struct Entry: Hashable, Sendable {
        var key: String
        var keyLocation: SourceLocation
        var value: DocumentNode
    }

    init(_ content: Content, at location: SourceLocation) {
        self.content = content
        self.location = location
    }

    /// Plain text without quotes, as a default value has it.
    init(text: String, at location: SourceLocation) {
        self.init(.scalar(text, isPlain: true), at: location)
    }

    /// Nothing, `~` or `null`.
    var isNull: Bool {
        guard case .scalar(let text, isPlain: true) = content else { return false }
        return text.isEmpty || text == "~" || text == "null"
    }

    /// For messages: what kind of thing this is.
    var noun: String {
        switch content {
        case .scalar(let text, _): isNull ? "nothing" : "'\(QuantityText.shortened(text))'"
        case .list: "a list"
        case .mapping: "a mapping"
        }
    }

    subscript(key: String) -> DocumentNode? {
        guard case .mapping(let entries) = content else { return nil }
        return entries.first { $0.key == key }?.value
    }
}
