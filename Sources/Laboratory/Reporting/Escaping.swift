internal import Mustache

/// `text` as content or attribute value of a page.
///
/// It works on scalars: a quotation mark with a combining accent is one character to Swift and
/// still ends an attribute to a browser. What a page may not contain becomes U+FFFD.
func escaped(_ text: String) -> String {
    var result = ""
    result.reserveCapacity(text.utf8.count)
    for scalar in text.unicodeScalars {
        switch scalar {
        case "&": result += "&amp;"
        case "<": result += "&lt;"
        case ">": result += "&gt;"
        case "\"": result += "&quot;"
        case "'": result += "&#39;"
        case "\t", "\n": result.unicodeScalars.append(scalar)
        case "\u{0}"..."\u{1F}", "\u{7F}"..."\u{9F}", "\u{FFFE}", "\u{FFFF}":
            result.unicodeScalars.append("\u{FFFD}")
        // Marks that turn the direction of reading can make a line say the opposite of its bytes.
        case "\u{202A}"..."\u{202E}", "\u{2066}"..."\u{2069}":
            result.unicodeScalars.append("\u{FFFD}")
        default: result.unicodeScalars.append(scalar)
        }
    }
    return result
}

/// How templates escape what they print; named at the start of each template.
struct PageContent: MustacheContentType {
    static let name = "NOVALAB-PAGE"

    func escapeText(_ text: String) -> String { escaped(text) }
}
