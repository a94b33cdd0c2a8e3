import Units

/// Numbers that may be ranges to draw from.
extension ScalarKind {
    static func integers(
        _ text: String,
        _ range: ClosedRange<Int64>
    ) throws(ValueFailure) -> ClosedRange<Int64> {
        let (first, second) = ends(of: text)
        let lower = try integer(first, range)
        let upper = try integer(second, range)
        guard lower <= upper else { throw backwards(text) }
        return lower...upper
    }

    static func factors(_ text: String) throws(ValueFailure) -> ClosedRange<Double> {
        let (first, second) = ends(of: text)
        let lower = try number(first, above: 0, orEqual: false)
        let upper = try number(second, above: 0, orEqual: false)
        guard lower <= upper else { throw backwards(text) }
        return lower...upper
    }

    static func shares(_ text: String) throws(ValueFailure) -> ClosedRange<Ratio> {
        var (first, second) = ends(of: text)
        if !first.contains("%") { first += " %" }
        if !text.contains("%") {
            // Let the reader of shares say what is wrong.
            (first, second) = (text, text)
        }
        let lower = try share(first, .belowOne)
        let upper = try share(second, .belowOne)
        guard lower <= upper else { throw backwards(text) }
        return lower...upper
    }

    /// The two ends of a range; a single value is both.
    private static func ends(of text: String) -> (String, String) {
        guard let dots = text.firstRange(of: "..") else { return (text, text) }
        let first = String(text[..<dots.lowerBound]).trimmingSpaces()
        let second = String(text[dots.upperBound...]).trimmingSpaces()
        return (first, second)
    }

    private static func backwards(_ text: String) -> ValueFailure {
        ValueFailure(
            .outOfRange,
            "the range '\(QuantityText.shortened(text))' ends before it starts",
            "the smaller value first"
        )
    }
}
