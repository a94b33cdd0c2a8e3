/// Finds the name that somebody probably meant.
enum NearestName {
    /// The nearest of `names` by edit distance without regard to case, if it is near enough: at most
    /// a third of the longer word's letters differ. The first of several equally near ones.
    static func nearest(to word: String, among names: [String]) -> String? {
        guard word.unicodeScalars.count <= 64 else { return nil }
        let letters = Array(word.lowercased().unicodeScalars)
        var best: (name: String, distance: Int)?
        for name in names {
            let other = Array(name.lowercased().unicodeScalars)
            let limit = max(1, max(letters.count, other.count) / 3)
            let distance = distance(letters, other)
            // A word of one letter resembles every other one.
            guard distance <= limit, distance < max(letters.count, other.count) else { continue }
            if best.map({ distance < $0.distance }) ?? true { best = (name, distance) }
        }
        return best?.name
    }

    /// The edit distance with neighbouring letters swapped counted once (optimal string alignment).
    private static func distance(_ left: [Unicode.Scalar], _ right: [Unicode.Scalar]) -> Int {
        guard !left.isEmpty, !right.isEmpty else { return max(left.count, right.count) }
        var beforePrevious: [Int] = []
        var previous = Array(0...right.count)
        for row in 1...left.count {
            var current = [row]
            current.reserveCapacity(right.count + 1)
            for column in 1...right.count {
                let isSame = left[row - 1] == right[column - 1]
                var least = min(
                    previous[column] + 1,
                    current[column - 1] + 1,
                    previous[column - 1] + (isSame ? 0 : 1)
                )
                if row > 1, column > 1, left[row - 1] == right[column - 2],
                    left[row - 2] == right[column - 1]
                {
                    least = min(least, beforePrevious[column - 2] + 1)
                }
                current.append(least)
            }
            beforePrevious = previous
            previous = current
        }
        return previous[right.count]
    }
}
