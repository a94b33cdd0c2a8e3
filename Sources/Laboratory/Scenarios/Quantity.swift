public import Units

/// Quantities as a person types them on a command line, in the scenario language's words.
public enum Quantity {
    /// A time such as `80 ms` or `1s`; `nil` for anything else.
    public static func interval(_ text: String) -> Interval? {
        (try? QuantityText.value(of: text, as: QuantityText.duration))
            .map { Interval(nanoseconds: $0) }
    }

    /// A size such as `64 MiB`; `nil` for anything else.
    public static func size(_ text: String) -> ByteCount? {
        (try? QuantityText.value(of: text, as: QuantityText.size)).map { ByteCount($0) }
    }
}
