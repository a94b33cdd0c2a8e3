/// Merges a variant's patch onto `system`, key by key and level by level.
///
/// Lists and scalars of the patch replace those of the base. A tagged record whose word the patch
/// changes is replaced as a whole, because the options of one kind mean nothing to another.
enum DocumentMerge {
    static func merged(
        _ base: DocumentNode,
        _ patch: DocumentNode,
        _ shape: Shape
    ) -> DocumentNode {
        switch shape {
        case .record(let record), .patch(let record):
            guard case .mapping(var entries) = base.content,
                case .mapping(let changes) = patch.content
            else { return replaced(base, patch) }
            for change in changes {
                let field = record.fields.first { $0.key == change.key }
                apply(change, field?.shape, to: &entries)
            }
            return DocumentNode(.mapping(entries), at: patch.location)
        case .tagged(let tagged):
            let base = expanded(base, tagged)
            let patch = expanded(patch, tagged)
            guard case .mapping(var entries) = base.content,
                case .mapping(let changes) = patch.content
            else { return replaced(base, patch) }
            if let word = patch[tagged.tag], word.content != base[tagged.tag]?.content {
                return patch
            }
            let fields = tagged.cases.flatMap(\.fields)
            for change in changes {
                let field = fields.first { $0.key == change.key }
                apply(change, field?.shape, to: &entries)
            }
            return DocumentNode(.mapping(entries), at: patch.location)
        case .scalar, .list, .dictionary:
            return patch
        }
    }

    private static func apply(
        _ change: DocumentNode.Entry,
        _ shape: Shape?,
        to entries: inout [DocumentNode.Entry]
    ) {
        guard let index = entries.firstIndex(where: { $0.key == change.key }) else {
            entries.append(change)
            return
        }
        var merged = change
        if let shape {
            merged.value = DocumentMerge.merged(entries[index].value, change.value, shape)
        }
        entries[index] = merged
    }

    /// An empty patch changes nothing.
    private static func replaced(_ base: DocumentNode, _ patch: DocumentNode) -> DocumentNode {
        patch.isNull ? base : patch
    }

    /// The word alone as the mapping it stands for.
    private static func expanded(_ node: DocumentNode, _ shape: TaggedShape) -> DocumentNode {
        guard case .scalar(let text, _) = node.content, !node.isNull else { return node }
        let word = DocumentNode(text: text, at: node.location)
        return DocumentNode(
            .mapping([
                DocumentNode.Entry(key: shape.tag, keyLocation: node.location, value: word)
            ]),
            at: node.location
        )
    }
}
