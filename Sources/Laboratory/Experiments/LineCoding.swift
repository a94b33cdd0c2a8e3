import Foundation

/// JSON objects, one a line, whose numbers may be infinite: what processes of the laboratory tell each
/// other.
enum LineCoding {
    static func line(_ message: some Encodable) -> Data {
        let encoder = JSONEncoder()
        encoder.nonConformingFloatEncodingStrategy = .convertToString(
            positiveInfinity: "Infinity",
            negativeInfinity: "-Infinity",
            nan: "NaN"
        )
        // Messages are made of numbers, text and enums: encoding them cannot fail.
        guard var data = try? encoder.encode(message) else {
            preconditionFailure("a message between processes does not encode: \(message)")
        }
        data.append(10)
        return data
    }

    /// `nil` for a line that is not such a message.
    static func message<Message: Decodable>(_ line: Data, as type: Message.Type) -> Message? {
        let decoder = JSONDecoder()
        decoder.nonConformingFloatDecodingStrategy = .convertFromString(
            positiveInfinity: "Infinity",
            negativeInfinity: "-Infinity",
            nan: "NaN"
        )
        return try? decoder.decode(type, from: line)
    }
}
