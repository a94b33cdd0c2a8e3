import ArgumentParser

/// Seeds as people write them: decimal or hexadecimal.
enum SeedText {
    static func seed(_ text: String) throws -> UInt64 {
        let value = text.hasPrefix("0x") ? UInt64(text.dropFirst(2), radix: 16) : UInt64(text)
        guard let value else {
            throw CommandFailure(
                code: 64,
                message: "'\(text)' is not a seed; write a number such as 42 or 0x9A3F"
            )
        }
        return value
    }
}
