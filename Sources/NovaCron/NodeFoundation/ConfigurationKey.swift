import Effects
import Units

/// One setting: its name in files and in the environment, what it takes, and where it goes.
///
/// Reader, documentation and JSON Schema come from the same list, `ConfigurationKey.all`.
struct ConfigurationKey: Sendable {
    /// With its sections, for example `database.busy-timeout`.
    var path: String
    /// The environment variable that overrides it.
    var variable: String
    /// What it takes, in words.
    var form: String
    var schema: Schema
    /// What it does, in one sentence or two.
    var meaning: String
    var isList: Bool
    /// Checks texts, one unless it is a list, and puts the value into its place.
    var assign: @Sendable ([String], inout NodeConfiguration) -> SettingFailure?
    /// The value in the form that `assign` reads.
    var texts: @Sendable (NodeConfiguration) -> [String]

    enum Schema: Hashable, Sendable {
        case text
        case integer(ClosedRange<Int>)
        /// An integer, or the word.
        case integerOr(String, ClosedRange<Int>)
        case choice([String])
        case quantity([String])
    }

    /// The name of the environment variable for a path.
    static func variable(for path: String) -> String {
        ConfigurationText.prefix
            + String(path.uppercased().map { $0 == "." || $0 == "-" ? "_" : $0 })
    }
}

typealias SettingPath<Value> = any WritableKeyPath<NodeConfiguration, Value> & Sendable

extension ConfigurationKey {
    /// A key with one value; the two closures read and write it.
    static func single<Value>(
        _ path: String,
        _ form: String,
        _ schema: Schema,
        _ target: SettingPath<Value>,
        _ meaning: String,
        read: @escaping @Sendable (String) throws(SettingFailure) -> Value,
        write: @escaping @Sendable (Value) -> String
    ) -> ConfigurationKey {
        ConfigurationKey(
            path: path,
            variable: variable(for: path),
            form: form,
            schema: schema,
            meaning: meaning,
            isList: false,
            assign: { texts, configuration in
                do throws(SettingFailure) {
                    configuration[keyPath: target] = try read(texts[0])
                    return nil
                } catch {
                    return error
                }
            },
            texts: { [write($0[keyPath: target])] }
        )
    }

    /// A key with up to `limit` values.
    static func list<Value>(
        _ path: String,
        _ form: String,
        limit: Int,
        _ target: SettingPath<[Value]>,
        _ meaning: String,
        read: @escaping @Sendable (String) throws(SettingFailure) -> Value,
        write: @escaping @Sendable (Value) -> String
    ) -> ConfigurationKey {
        ConfigurationKey(
            path: path,
            variable: variable(for: path),
            form: "\(form), at most \(limit)",
            schema: .text,
            meaning: meaning,
            isList: true,
            assign: { texts, configuration in
                guard texts.count <= limit else {
                    return SettingFailure("\(texts.count) values; at most \(limit) are allowed")
                }
                var values: [Value] = []
                for (index, text) in texts.enumerated() {
                    do throws(SettingFailure) {
                        values.append(try read(text))
                    } catch {
                        var failure = error
                        failure.index = index
                        return failure
                    }
                }
                configuration[keyPath: target] = values
                return nil
            },
            texts: { $0[keyPath: target].map(write) }
        )
    }

    static func duration(
        _ path: String,
        _ range: ClosedRange<Interval>,
        _ target: SettingPath<Interval>,
        _ meaning: String
    ) -> ConfigurationKey {
        let form =
            "duration, \(SettingText.text(range.lowerBound)) to "
            + SettingText.text(range.upperBound)
        return single(
            path,
            form,
            .quantity(SettingText.durations.map(\.name)),
            target,
            meaning,
            read: { (text: String) throws(SettingFailure) in
                let value = Interval(
                    nanoseconds: try SettingText.quantity(
                        text,
                        "a duration",
                        SettingText.durations
                    )
                )
                guard range.contains(value) else { throw outside(text, form) }
                return value
            },
            write: { SettingText.text($0) }
        )
    }

    static func size(
        _ path: String,
        _ range: ClosedRange<ByteCount>,
        _ target: SettingPath<ByteCount>,
        _ meaning: String
    ) -> ConfigurationKey {
        let form =
            "size, \(SettingText.text(range.lowerBound)) to \(SettingText.text(range.upperBound))"
        return single(
            path,
            form,
            .quantity(SettingText.sizes.map(\.name)),
            target,
            meaning,
            read: { (text: String) throws(SettingFailure) in
                let value = ByteCount(
                    try SettingText.quantity(text, "a size", SettingText.sizes)
                )
                guard range.contains(value) else { throw outside(text, form) }
                return value
            },
            write: { SettingText.text($0) }
        )
    }

    static func integer(
        _ path: String,
        _ range: ClosedRange<Int>,
        _ target: SettingPath<Int>,
        _ meaning: String
    ) -> ConfigurationKey {
        single(
            path,
            "integer, \(range.lowerBound) to \(range.upperBound)",
            .integer(range),
            target,
            meaning,
            read: { (text: String) throws(SettingFailure) in try number(text, range) },
            write: { String($0) }
        )
    }

    static func endpoint(
        _ path: String,
        _ target: SettingPath<SocketEndpoint>,
        _ meaning: String
    ) -> ConfigurationKey {
        single(
            path,
            "address and port",
            .text,
            target,
            meaning,
            read: { (text: String) throws(SettingFailure) in try SettingText.endpoint(text) },
            write: { $0.description }
        )
    }

    static func choice<Value>(
        _ path: String,
        _ choices: [(name: String, value: Value)],
        _ target: SettingPath<Value>,
        _ meaning: String
    ) -> ConfigurationKey where Value: Hashable & Sendable {
        let names = choices.map(\.name)
        return single(
            path,
            names.joined(separator: ", "),
            .choice(names),
            target,
            meaning,
            read: { (text: String) throws(SettingFailure) in
                guard let choice = choices.first(where: { $0.name == text }) else {
                    throw SettingFailure(
                        "'\(SettingText.shortened(text))' is none of "
                            + names.joined(separator: ", "),
                        suggestion: ClosestName.find(text, among: names)
                    )
                }
                return choice.value
            },
            write: { value in choices.first { $0.value == value }?.name ?? "\(value)" }
        )
    }

    static func number(
        _ text: String,
        _ range: ClosedRange<Int>
    ) throws(SettingFailure) -> Int {
        guard text.utf8.allSatisfy({ (48...57).contains($0) }), let value = Int(text) else {
            throw SettingFailure("'\(SettingText.shortened(text))' is not a whole number")
        }
        guard range.contains(value) else {
            throw outside(text, "\(range.lowerBound) to \(range.upperBound)")
        }
        return value
    }

    static func outside(_ text: String, _ form: String) -> SettingFailure {
        SettingFailure("'\(SettingText.shortened(text))' is out of range: \(form)")
    }
}
