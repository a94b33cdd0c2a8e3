/// Splits a command as a user writes it into words, without a shell.
///
/// Words are separated by spaces and tabs; single quotes keep everything, double quotes and the
/// backslash keep what they protect as in a shell. Nothing is expanded: a command that needs a shell
/// says so, as in `sh -c '…'`. The process that is captured is then the one that was named.
public enum CommandWords {
    public static func split(_ command: String) throws(DataSetError) -> [String] {
        var words: [String] = []
        var word: String?
        var quote: Character?
        var isEscaped = false
        for character in command {
            if isEscaped {
                word = (word ?? "") + String(character)
                isEscaped = false
            } else if character == "\\", quote != "'" {
                isEscaped = true
            } else if let open = quote {
                if character == open {
                    quote = nil
                } else {
                    word = (word ?? "") + String(character)
                }
            } else if character == "'" || character == "\"" {
                quote = character
                word = word ?? ""
            } else if character == " " || character == "\t" {
                if let finished = word { words.append(finished) }
                word = nil
            } else {
                word = (word ?? "") + String(character)
            }
        }
        guard quote == nil, !isEscaped else {
            throw .badRequest("the command has an open quote or a backslash at its end: \(command)")
        }
        if let word { words.append(word) }
        guard !words.isEmpty else { throw .badRequest("the command to capture is empty") }
        return words
    }
}
