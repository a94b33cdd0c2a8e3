import Determinism

/// Text as shops store it: names, addresses, titles and notes from word lists, so that a workload's
/// memory compresses like real text instead of like random bytes.
enum Wording {
    private static let firstNames = [
        "Ada", "Alan", "Barbara", "Claude", "Dorothy", "Edsger", "Frances", "Grace", "Hedy", "Ivan",
        "Jean", "Katherine", "Leslie", "Margaret", "Niklaus", "Olga", "Peter", "Radia", "Sophie",
        "Tony", "Ursula", "Vint", "Whitfield", "Xiao", "Yukihiro", "Zuse",
    ]
    private static let lastNames = [
        "Allen", "Backus", "Cerf", "Diffie", "Engelbart", "Floyd", "Goldberg", "Hamilton", "Hopper",
        "Iverson", "Johnson", "Kay", "Lamport", "Liskov", "McCarthy", "Naur", "Ousterhout",
        "Perlman", "Ritchie", "Sutherland", "Thompson", "Ullman", "Valiant", "Wirth", "Yao",
    ]
    private static let streets = [
        "Station Road", "High Street", "Mill Lane", "Church Street", "Park Avenue", "Harbour Way",
        "Orchard Close", "King's Road", "Bridge Street", "Garden Terrace", "Victoria Road",
    ]
    private static let cities = [
        "Amsterdam", "Bergen", "Cologne", "Dublin", "Edinburgh", "Florence", "Ghent", "Helsinki",
        "Innsbruck", "Krakow", "Lisbon", "Malmo", "Nantes", "Oslo", "Porto", "Riga", "Seville",
    ]
    private static let words = [
        "steel", "wooden", "compact", "durable", "cordless", "kitchen", "garden", "travel",
        "office",
        "lamp", "kettle", "chair", "backpack", "keyboard", "bottle", "blanket", "drill", "bicycle",
        "helmet", "notebook", "with", "and", "for", "adjustable", "waterproof", "rechargeable",
        "handle", "cover", "stand", "set", "of", "two", "four", "black", "white", "green", "blue",
        "comes", "made", "from", "recycled", "material", "easy", "to", "clean", "two-year",
        "warranty", "fits", "most", "sizes", "includes", "battery", "charger", "case",
    ]
    private static let notes = [
        "", "", "", "leave with neighbour", "ring twice", "gift wrap", "deliver after 18:00",
        "call before delivery", "back door",
    ]

    static func name(using random: inout SeededRandom) -> String {
        one(of: firstNames, using: &random) + " " + one(of: lastNames, using: &random)
    }

    static func email(of name: String, _ id: Int) -> String {
        name.lowercased().replacing(" ", with: ".") + "\(id)@example.com"
    }

    static func address(using random: inout SeededRandom) -> String {
        let number = 1 + random.below(240)
        let postcode = 10_000 + random.below(89_999)
        return "\(number) \(one(of: streets, using: &random)), \(postcode) "
            + one(of: cities, using: &random)
    }

    static func title(using random: inout SeededRandom) -> String {
        sentence(of: 3, using: &random)
    }

    static func description(using random: inout SeededRandom) -> String {
        sentence(of: 20 + Int(random.below(30)), using: &random)
    }

    static func note(using random: inout SeededRandom) -> String {
        one(of: notes, using: &random)
    }

    private static func sentence(of count: Int, using random: inout SeededRandom) -> String {
        (0..<count).map { _ in one(of: words, using: &random) }.joined(separator: " ")
    }

    private static func one(of list: [String], using random: inout SeededRandom) -> String {
        list[Int(random.below(UInt64(list.count)))]
    }
}
