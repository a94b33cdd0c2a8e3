/// Guesses which name somebody meant.
enum ClosestName {
    /// The name with the smallest edit distance (Levenshtein), case aside, if at most a third of
    /// its letters differ; the first among equals. Words of more than 100 letters are like none.
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
        var row = Array(0...right.count)
        for (index, letter) in left.enumerated() {
            var diagonal = row[0]
            row[0] = index + 1
            for (column, other) in right.enumerated() {
                let above = row[column + 1]
                row[column + 1] = min(
                    above + 1,
                    row[column] + 1,
                    diagonal + (letter == other ? 0 : 1)
                )
                diagonal = above
            }
        }
        return row[right.count]
    }
}
