import Determinism
import NodePlatform
import Testing

// Goal: addresses are told from names, and nothing traps. Method: a table and 100,000 seeded texts.
@Suite struct AddressTests {
    private static let table: [(String, [UInt8]?)] = [
        ("127.0.0.1", [127, 0, 0, 1]), ("255.255.255.255", [255, 255, 255, 255]),
        ("::", Array(repeating: 0, count: 16)),
        ("::1", Array(repeating: 0, count: 15) + [1]),
        ("2001:DB8::a", [0x20, 1, 0x0D, 0xB8] + Array(repeating: 0, count: 11) + [10]),
        ("1::", [0, 1] + Array(repeating: 0, count: 14)),
        ("1:2:3:4:5:6:7:8", [0, 1, 0, 2, 0, 3, 0, 4, 0, 5, 0, 6, 0, 7, 0, 8]),
        ("1:2:3:4:5:6:7::", [0, 1, 0, 2, 0, 3, 0, 4, 0, 5, 0, 6, 0, 7, 0, 0]),
        ("", nil), ("localhost", nil), ("1.2.3", nil), ("1.2.3.4.5", nil), ("1.2.3.256", nil),
        ("01.2.3.4", nil), ("+1.2.3.4", nil), ("1.2.3.", nil), (":", nil), (":::", nil),
        ("1::2::3", nil), ("1:2:3:4:5:6:7:8:9", nil), ("1:2:3:4:5:6:7", nil), ("12345::", nil),
        (":1:2:3:4:5:6:7", nil), ("1:2:3:4:5:6:7:", nil), ("::g", nil), ("fe80::1%eth0", nil),
        ("1:2:3:4::5:6:7:8", nil), ("\u{FF11}::", nil), ("::+1", nil),
    ]

    @Test func textsAreRead() {
        for (text, bytes) in Self.table {
            #expect(InternetAddress(text)?.bytes == bytes, "'\(text)'")
        }
    }

    @Test func nothingTraps() {
        var random = SeededRandom(stateFrom: 9)
        let letters = Array("0123456789abcF.:::..%x\u{E9}")
        var read = 0
        for _ in 0..<100_000 {
            let text = String(
                (0..<random.below(12)).map { _ in
                    letters[Int(random.below(UInt64(letters.count)))]
                }
            )
            guard let address = InternetAddress(text) else { continue }
            read += 1
            #expect(address.bytes.count == (text.contains(":") ? 16 : 4))
        }
        #expect(read > 100)
    }
}
