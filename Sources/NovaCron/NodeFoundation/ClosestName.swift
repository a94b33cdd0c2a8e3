/// Guesses which name somebody meant.
enum ClosestName {
    /// The name with the smallest edit distance (optimal string alignment: two neighbouring letters
    /// in the wrong order count once), case aside, if at most a third of its letters differ; the
    /// first among equals. Words of more than 100 letters are like none.
    static func find(_ word: String, among names: [String]) -> String? {
        let letters = Array(word.lowercased().unicodeScalars)
        guard letters.count <= 100 else { return nil }
        var best: (name: String, distance: Int)?
        for name in names {
            let other = Array(name.lowercased().unicodeScalars)
            let longest = max(letters.count, other.count)
            let distance = distance(letters, other)
            guard distance <= max(1, longest / 3), distance < longest,
                distance < best?.distance ?? .max
            else { continue }
            best = (name, distance)
        }
        return best?.name
    }

    private static func distance(_ left: [Unicode.Scalar], _ right: [Unicode.Scalar]) -> Int {
        var before = Array(repeating: 0, count: right.count + 1)
        var row = Array(0...right.count)
        var next = before
        for (index, letter) in left.enumerated() {
            next[0] = index + 1
            for (column, other) in right.enumerated() {
                var least = min(
                    row[column + 1] + 1,
                    next[column] + 1,
                    row[column] + (letter == other ? 0 : 1)
                )
                if index > 0, column > 0, letter == right[column - 1], left[index - 1] == other {
                    least = min(least, before[column - 1] + 1)
                }
                next[column + 1] = least
            }
            swap(&before, &row)
            swap(&row, &next)
        }
        return row[right.count]
    }
}
