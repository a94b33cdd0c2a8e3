/// Compares a document with its shape: unknown and missing keys, kinds of values, units.
enum ShapeChecker {
    static func check(
        _ node: DocumentNode,
        _ shape: Shape,
        path: String,
        isWritten: Bool = true,
        _ report: inout DiagnosticReport
    ) -> CheckedValue {
        CheckedValue(
            location: node.location,
            path: path,
            isWritten: isWritten,
            content: content(of: node, shape, path, isWritten, &report)
        )
    }

    private static func content(
        of node: DocumentNode,
        _ shape: Shape,
        _ path: String,
        _ isWritten: Bool,
        _ report: inout DiagnosticReport
    ) -> CheckedValue.Content {
        switch shape {
        case .scalar(let kind):
            return scalar(node, kind, path, &report)
        case .list(let element, let minimum):
            return list(node, element, minimum, path, &report)
        case .dictionary(let value, let minimum):
            return dictionary(node, value, minimum, path, &report)
        case .patch(let record):
            guard mapping(node, "a mapping with keys of \(record.title)", path, &report) != nil
            else { return .invalid }
            return .patch(node)
        case .record(let record):
            guard
                let entries = mapping(
                    node,
                    "a mapping with \(keyList(record.fields))",
                    path,
                    &report
                )
            else { return .invalid }
            let values = fields(
                record.fields,
                of: record.title,
                entries,
                at: node.location,
                path,
                isWritten,
                &report
            )
            return .record(
                CheckedRecord(
                    location: node.location,
                    path: path,
                    word: nil,
                    values: values,
                    isValid: true
                )
            )
        case .tagged(let tagged):
            return self.tagged(node, tagged, path, isWritten, &report)
        }
    }

    private static func scalar(
        _ node: DocumentNode,
        _ kind: ScalarKind,
        _ path: String,
        _ report: inout DiagnosticReport
    ) -> CheckedValue.Content {
        guard case .scalar(let text, _) = node.content, !node.isNull else {
            report.add(
                .wrongType,
                at: node.location,
                path: path,
                "found \(node.noun)",
                expected: kind.expected
            )
            return .invalid
        }
        do {
            return .scalar(try kind.value(of: text))
        } catch {
            report.add(error, at: node.location, path: path)
            return .invalid
        }
    }

    private static func list(
        _ node: DocumentNode,
        _ element: Shape,
        _ minimum: Int,
        _ path: String,
        _ report: inout DiagnosticReport
    ) -> CheckedValue.Content {
        var elements: [DocumentNode] = []
        if case .list(let found) = node.content {
            elements = found
        } else if !node.isNull {
            report.add(
                .wrongType,
                at: node.location,
                path: path,
                "found \(node.noun)",
                expected: "a list"
            )
            return .invalid
        }
        guard elements.count >= minimum else {
            report.add(
                .outOfRange,
                at: node.location,
                path: path,
                "the list has \(elements.count) entries",
                expected: "at least \(minimum)"
            )
            return .invalid
        }
        var checked: [CheckedValue] = []
        for (index, node) in elements.enumerated() {
            checked.append(check(node, element, path: "\(path)[\(index)]", &report))
        }
        return .list(checked)
    }

    private static func dictionary(
        _ node: DocumentNode,
        _ value: Shape,
        _ minimum: Int,
        _ path: String,
        _ report: inout DiagnosticReport
    ) -> CheckedValue.Content {
        guard let entries = mapping(node, "a mapping from names", path, &report) else {
            return .invalid
        }
        var checked: [(name: String, location: SourceLocation, value: CheckedValue)] = []
        for entry in entries where !isExtension(entry.key) {
            let inner = DocumentPath.joined(path, entry.key)
            do {
                _ = try ScalarKind.name(entry.key)
            } catch {
                report.add(error, at: entry.keyLocation, path: path)
            }
            checked.append(
                (entry.key, entry.keyLocation, check(entry.value, value, path: inner, &report))
            )
        }
        guard checked.count >= minimum else {
            report.add(
                .outOfRange,
                at: node.location,
                path: path,
                "the mapping has \(checked.count) entries",
                expected: "at least \(minimum)"
            )
            return .invalid
        }
        return .dictionary(checked)
    }

    private static func tagged(
        _ node: DocumentNode,
        _ shape: TaggedShape,
        _ path: String,
        _ isWritten: Bool,
        _ report: inout DiagnosticReport
    ) -> CheckedValue.Content {
        var node = node
        if case .scalar(let text, _) = node.content, !node.isNull {
            let word = DocumentNode(text: text, at: node.location)
            node.content = .mapping([
                DocumentNode.Entry(
                    key: shape.scalarKey ?? shape.tag,
                    keyLocation: node.location,
                    value: word
                )
            ])
        }
        let words = shape.words.joined(separator: ", ")
        guard let entries = mapping(node, "one of \(words)", path, &report) else {
            return .invalid
        }
        // With one word to choose from, the word says nothing.
        var tag = entries.first { $0.key == shape.tag }
        if tag == nil, shape.cases.count == 1 {
            let word = DocumentNode(text: shape.cases[0].word, at: node.location)
            tag = DocumentNode.Entry(key: shape.tag, keyLocation: node.location, value: word)
        }
        if tag == nil,
            let implied = entries.lazy.compactMap({ shape.impliedWords[$0.key] }).first
        {
            let word = DocumentNode(text: implied, at: node.location)
            tag = DocumentNode.Entry(key: shape.tag, keyLocation: node.location, value: word)
        }
        guard let tag else {
            report.add(
                .missingKey,
                at: node.location,
                path: path,
                "the \(shape.title) has no '\(shape.tag)'",
                expected: words,
                suggestion: nearMiss(of: shape.tag, in: entries)
            )
            return .invalid
        }
        let kind = ScalarKind.choice(
            shape.cases.map { ScalarKind.Choice($0.word, unsupported: $0.unsupported) }
        )
        let tagPath = DocumentPath.joined(path, shape.tag)
        guard case .scalar(.text(let word)) = scalar(tag.value, kind, tagPath, &report),
            let chosen = shape.cases.first(where: { $0.word == word })
        else { return .invalid }
        let values = fields(
            chosen.fields,
            of: "\(shape.title) '\(word)'",
            entries.filter { $0.key != shape.tag },
            at: node.location,
            path,
            isWritten,
            &report
        )
        return .record(
            CheckedRecord(
                location: node.location,
                path: path,
                word: word,
                values: values,
                isValid: true
            )
        )
    }

    private static func fields(
        _ fields: [Field],
        of title: String,
        _ entries: [DocumentNode.Entry],
        at location: SourceLocation,
        _ path: String,
        _ isWritten: Bool,
        _ report: inout DiagnosticReport
    ) -> [String: CheckedValue] {
        let known = fields.map(\.key)
        for entry in entries where !known.contains(entry.key) && !isExtension(entry.key) {
            report.add(
                .unknownKey,
                at: entry.keyLocation,
                path: path,
                "unknown key '\(QuantityText.shortened(entry.key))'",
                expected: fields.isEmpty ? "no other keys in \(title)" : keyList(fields),
                suggestion: NearestName.nearest(to: entry.key, among: known)
            )
        }
        var values: [String: CheckedValue] = [:]
        for field in fields {
            let inner = DocumentPath.joined(path, field.key)
            if let entry = entries.first(where: { $0.key == field.key }) {
                values[field.key] = check(
                    entry.value,
                    field.shape,
                    path: inner,
                    isWritten: isWritten,
                    &report
                )
                continue
            }
            guard let value = missing(field, of: title, entries, location, path, &report) else {
                continue
            }
            values[field.key] = check(
                value,
                field.shape,
                path: inner,
                isWritten: false,
                &report
            )
        }
        return values
    }

    /// The node that a default stands for, or `nil` when there is no value.
    private static func missing(
        _ field: Field,
        of title: String,
        _ entries: [DocumentNode.Entry],
        _ location: SourceLocation,
        _ path: String,
        _ report: inout DiagnosticReport
    ) -> DocumentNode? {
        switch field.presence {
        case .required:
            report.add(
                .missingKey,
                at: location,
                path: path,
                "the \(title) has no '\(field.key)'",
                expected: "\(field.key): \(field.shape.expected)",
                suggestion: nearMiss(of: field.key, in: entries)
            )
            return nil
        case .optional:
            return nil
        case .text(let text):
            return DocumentNode(text: text, at: location)
        case .empty:
            if case .list = field.shape { return DocumentNode(.list([]), at: location) }
            return DocumentNode(.mapping([]), at: location)
        }
    }

    /// A written key that looks like the missing one.
    private static func nearMiss(of key: String, in entries: [DocumentNode.Entry]) -> String? {
        entries.contains { NearestName.nearest(to: $0.key, among: [key]) != nil } ? key : nil
    }

    /// The entries of a mapping; nothing counts as an empty one.
    private static func mapping(
        _ node: DocumentNode,
        _ expected: String,
        _ path: String,
        _ report: inout DiagnosticReport
    ) -> [DocumentNode.Entry]? {
        if case .mapping(let entries) = node.content { return entries }
        if node.isNull { return [] }
        report.add(
            .wrongType,
            at: node.location,
            path: path,
            "found \(node.noun)",
            expected: expected
        )
        return nil
    }

    private static func keyList(_ fields: [Field]) -> String {
        fields.map(\.key).joined(separator: ", ")
    }

    /// Keys that start with `x-` belong to the author.
    static func isExtension(_ key: String) -> Bool { key.hasPrefix("x-") }
}

extension Shape {
    /// For messages: what belongs there.
    var expected: String {
        switch self {
        case .scalar(let kind): kind.expected
        case .list: "a list"
        case .record(let record): "a mapping (\(record.title))"
        case .dictionary: "a mapping from names"
        case .tagged(let tagged): "one of \(tagged.words.joined(separator: ", "))"
        case .patch(let record): "a mapping with keys of \(record.title)"
        }
    }
}

extension ScalarKind {
    /// For messages: what belongs there.
    var expected: String {
        switch self {
        case .duration: QuantityText.duration.expected
        case .span: "a duration or a range such as 10..20 s"
        case .automaticDuration: "auto, or \(QuantityText.duration.expected)"
        case .rate: QuantityText.rate.expected
        case .frequency: QuantityText.frequency.expected
        case .size: QuantityText.size.expected
        case .automaticSize: "auto, or \(QuantityText.size.expected)"
        case .share: "a share such as 0.1 %"
        case .queueLimit: "a queue limit such as 1 BDP, 1 MiB or 50 ms"
        case .integer(let range):
            "a whole number from \(range.lowerBound) to \(range.upperBound)"
        case .integers(let range):
            "a whole number or a range such as 1..3, from \(range.lowerBound) to \(range.upperBound)"
        case .factors: "a positive number or a range such as 0.5..2"
        case .shares: "a share or a range such as 0..1 %"
        case .number: "a number"
        case .streams: "auto, or a whole number from 1 to 256"
        case .seed: "a whole number below 2^64"
        case .name: "a name"
        case .text: "a line of text"
        case .choice(let choices): choices.map(\.word).joined(separator: ", ")
        case .flag: "true, false"
        case .pick: "one, leader, all, a number or a share such as 30 %"
        case .expectation: "a statistic, an operator and a value such as p(99) < 500 ms"
        }
    }
}
