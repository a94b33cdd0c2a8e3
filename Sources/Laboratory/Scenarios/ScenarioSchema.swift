import JSON

/// The JSON Schema (draft 2020-12) of scenario files, for editors.
///
/// It is made from the tables that the checker follows, so it knows the same keys. It cannot state
/// what the checker finds between keys, such as names of regions and variants.
public enum ScenarioSchema {
    /// The schema as JSON.
    public static var text: String {
        var members: [(key: String, value: JSONValue)] = [
            ("$schema", .text("https://json-schema.org/draft/2020-12/schema")),
            ("title", .text("NovaCron Lab scenario")),
        ]
        members += object(ScenarioShapes.scenario.fields, requires: true)
        return JSONValue.object(members).indented() + "\n"
    }

    private static func schema(_ shape: Shape, requires: Bool) -> JSONValue {
        switch shape {
        case .scalar(let kind):
            return .object(scalar(kind))
        case .list(let element, let minimum):
            return .object([
                ("type", .text("array")),
                ("items", schema(element, requires: requires)),
                ("minItems", .integer(Int64(minimum))),
            ])
        case .record(let record):
            return .object(object(record.fields, requires: requires))
        case .patch(let record):
            return .object(object(record.fields, requires: false))
        case .dictionary(let value, let minimum):
            return .object([
                ("type", .text("object")),
                ("patternProperties", .object([extensionMember])),
                ("additionalProperties", schema(value, requires: requires)),
                ("minProperties", .integer(Int64(minimum))),
            ])
        case .tagged(let tagged):
            let words = tagged.cases.filter { $0.unsupported == nil }
            let records = words.map { word in
                JSONValue.object(
                    [("description", .text(word.documentation))]
                        + object(
                            word.fields,
                            tag: (tagged.tag, word.word),
                            requires: requires,
                            requiresTag: requires && tagged.cases.count > 1
                                && !tagged.impliedWords.values.contains(word.word)
                        )
                )
            }
            if let scalar = tagged.scalarKey,
                let field = words.lazy.flatMap(\.fields).first(where: { $0.key == scalar })
            {
                let alone = schema(field.shape, requires: requires)
                return .object([("anyOf", .list([alone] + records))])
            }
            // A word alone is enough where no other key is required.
            let alone = words.filter { word in
                !word.fields.contains { $0.presence == .required }
            }
            let choice = JSONValue.object([("enum", .list(alone.map { .text($0.word) }))])
            return .object([("anyOf", .list((alone.isEmpty ? [] : [choice]) + records))])
        }
    }

    private static let extensionMember: (key: String, value: JSONValue) = ("^x-", .boolean(true))

    private static func object(
        _ fields: [Field],
        tag: (key: String, word: String)? = nil,
        requires: Bool,
        requiresTag: Bool = false
    ) -> [(key: String, value: JSONValue)] {
        var properties: [(key: String, value: JSONValue)] = []
        var required: [JSONValue] = []
        if let tag {
            properties.append((tag.key, .object([("const", .text(tag.word))])))
            if requiresTag { required.append(.text(tag.key)) }
        }
        for field in fields {
            var members: [(key: String, value: JSONValue)] = []
            if case .object(let schema) = schema(field.shape, requires: requires) {
                members = schema
            }
            members.insert(("description", .text(field.documentation)), at: 0)
            if case .text(let text) = field.presence { members.append(("default", .text(text))) }
            properties.append((field.key, .object(members)))
            if requires, field.presence == .required { required.append(.text(field.key)) }
        }
        return [
            ("type", .text("object")),
            ("properties", .object(properties)),
            ("patternProperties", .object([extensionMember, ("^<<$", .boolean(true))])),
            ("additionalProperties", .boolean(false)),
            ("required", .list(required)),
        ]
    }

    private static func scalar(_ kind: ScalarKind) -> [(key: String, value: JSONValue)] {
        let number = "[0-9]+(\\.[0-9]+)?"
        let duration = "\(number) *(ns|us|µs|ms|s|min|h|d)"
        switch kind {
        case .duration: return pattern(duration)
        case .span:
            return pattern("\(duration)|\(number)( *(ns|us|µs|ms|s|min|h|d))?\\.\\.\(duration)")
        case .automaticDuration: return pattern("auto|\(duration)")
        case .rate: return pattern("\(number) *([kMG]?bit|[kMG]?B)/s")
        case .frequency: return pattern("\(number) *(req)?/s")
        case .size: return pattern("\(number) *\(sizeUnits)")
        case .automaticSize: return pattern("auto|\(number) *\(sizeUnits)")
        case .share: return pattern("\(number) *%")
        case .queueLimit: return pattern("\(number) *(BDP|\(sizeUnits)|ns|us|µs|ms|s|min|h|d)")
        case .integer(let range):
            return [
                ("type", .text("integer")),
                ("minimum", .integer(range.lowerBound)),
                ("maximum", .integer(range.upperBound)),
            ]
        case .integers:
            return alternatives([pattern("[0-9]+(\\.\\.[0-9]+)?"), [("type", .text("integer"))]])
        case .factors:
            return alternatives([
                pattern("\(number)(\\.\\.\(number))?"),
                [("type", .text("number")), ("exclusiveMinimum", .integer(0))],
            ])
        case .shares: return pattern("\(number) *%|\(number)( *%)?\\.\\.\(number) *%")
        case .number(let bound, let orEqual):
            let limit =
                bound == bound.rounded() ? JSONValue.integer(Int64(bound)) : .real(bound)
            return [
                ("type", .text("number")),
                (orEqual ? "minimum" : "exclusiveMinimum", limit),
            ]
        case .streams:
            return alternatives([
                [("const", .text("auto"))], scalar(.integer(1...256)),
            ])
        case .seed:
            return alternatives([
                [("type", .text("integer")), ("minimum", .integer(0))],
                pattern("[0-9]+|0x[0-9a-fA-F]+"),
            ])
        case .name:
            return pattern("[A-Za-z0-9_][A-Za-z0-9._-]{0,63}", type: ["string", "integer"])
        case .text:
            return [("type", .text("string")), ("maxLength", .integer(200))]
        case .choice(let choices):
            let words = choices.filter { $0.unsupported == nil }.map(\.word)
            // YAML editors read a word of digits as a number.
            let numbers = words.compactMap { Int64($0) }.map { JSONValue.integer($0) }
            return [("enum", .list(words.map { .text($0) } + numbers))]
        case .flag: return [("type", .text("boolean"))]
        case .pick:
            return alternatives([
                pattern("one|leader|all|\(number) *%"), scalar(.integer(1...10_000)),
            ])
        case .expectation:
            let statistic =
                "(count|rate|mean|min|median|max|p\\(\(number)\\)|"
                + "speedup|difference|ratio)"
            return pattern(" *\(statistic) *(<=?|>=?|==|!=) *-?\(number) *[A-Za-z/%]*")
        }
    }

    private static let sizeUnits = "([KMGT]i?B|kB|B)"

    private static func pattern(
        _ pattern: String,
        type: [String] = ["string"]
    ) -> [(key: String, value: JSONValue)] {
        let types: JSONValue = type.count == 1 ? .text(type[0]) : .list(type.map { .text($0) })
        return [("type", types), ("pattern", .text("^(\(pattern))$"))]
    }

    private static func alternatives(
        _ schemas: [[(key: String, value: JSONValue)]]
    ) -> [(key: String, value: JSONValue)] {
        [("anyOf", .list(schemas.map { .object($0) }))]
    }
}
