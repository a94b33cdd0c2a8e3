import Determinism
import Units

/// The database of the SQLite workload and its transactions.
struct Shop {
    private let settings: SQLiteWorkload.Settings
    private let addOrder: SQLiteDatabase.Statement
    private let addLine: SQLiteDatabase.Statement
    private let takeStock: SQLiteDatabase.Statement
    private let chargeCustomer: SQLiteDatabase.Statement
    private let advanceOrder: SQLiteDatabase.Statement
    private let changeCustomer: SQLiteDatabase.Statement
    private let listOrders: SQLiteDatabase.Statement
    private let purgeLines: SQLiteDatabase.Statement
    private let purgeOrder: SQLiteDatabase.Statement
    private let begin: SQLiteDatabase.Statement
    private let commit: SQLiteDatabase.Statement
    private let database: SQLiteDatabase

    private var random: SeededRandom
    private let customers: ZipfChoice
    private let products: ZipfChoice
    private var oldestOrder = 1
    private var nextOrder = 1
    private var transactions = 0

    /// A small index is rebuilt once in this many transactions, as maintenance does.
    private static let maintenancePeriod = 2_000

    private static let schema = """
        PRAGMA page_size = 4096;
        PRAGMA foreign_keys = OFF;
        CREATE TABLE customers (
            id INTEGER PRIMARY KEY, name TEXT NOT NULL, email TEXT NOT NULL, address TEXT NOT NULL,
            balance INTEGER NOT NULL, orders INTEGER NOT NULL, seen INTEGER NOT NULL);
        CREATE TABLE products (
            id INTEGER PRIMARY KEY, sku TEXT NOT NULL, title TEXT NOT NULL,
            description TEXT NOT NULL, price INTEGER NOT NULL, stock INTEGER NOT NULL);
        CREATE TABLE orders (
            id INTEGER PRIMARY KEY, customer INTEGER NOT NULL, state TEXT NOT NULL,
            placed INTEGER NOT NULL, total INTEGER NOT NULL, note TEXT NOT NULL);
        CREATE TABLE lines (
            "order" INTEGER NOT NULL, line INTEGER NOT NULL, product INTEGER NOT NULL,
            quantity INTEGER NOT NULL, price INTEGER NOT NULL,
            PRIMARY KEY ("order", line)) WITHOUT ROWID;
        CREATE INDEX customers_email ON customers (email);
        CREATE INDEX products_price ON products (price);
        CREATE INDEX orders_customer ON orders (customer, placed);
        CREATE INDEX lines_product ON lines (product);
        """

    init(_ settings: SQLiteWorkload.Settings) throws(SQLiteWorkload.Failure) {
        self.settings = settings
        random = SeededRandom(
            seed: settings.seed,
            entity: EntityID(.experiment, 0),
            purpose: "sqlite workload"
        )
        customers = ZipfChoice(count: settings.customers)
        products = ZipfChoice(count: settings.products)
        database = try SQLiteDatabase()
        try database.execute(Shop.schema)
        addOrder = try database.prepare("INSERT INTO orders VALUES (?, ?, 'placed', ?, ?, ?)")
        addLine = try database.prepare("INSERT INTO lines VALUES (?, ?, ?, ?, ?)")
        takeStock = try database.prepare(
            "UPDATE products SET stock = CASE WHEN stock < ?2 THEN 500 ELSE stock - ?2 END "
                + "WHERE id = ?1"
        )
        chargeCustomer = try database.prepare(
            "UPDATE customers SET balance = balance - ?2, orders = orders + 1, seen = ?3 "
                + "WHERE id = ?1"
        )
        advanceOrder = try database.prepare("UPDATE orders SET state = ?2 WHERE id = ?1")
        changeCustomer = try database.prepare(
            "UPDATE customers SET address = ?2, seen = ?3 WHERE id = ?1"
        )
        listOrders = try database.prepare(
            "SELECT o.total FROM orders o JOIN lines l ON l.\"order\" = o.id "
                + "WHERE o.customer = ?1 ORDER BY o.placed DESC LIMIT 40"
        )
        purgeLines = try database.prepare("DELETE FROM lines WHERE \"order\" = ?")
        purgeOrder = try database.prepare("DELETE FROM orders WHERE id = ?")
        begin = try database.prepare("BEGIN")
        commit = try database.prepare("COMMIT")
        try fill()
    }

    /// One transaction of the mix: 45 % place, 25 % advance, 10 % change a customer, 20 % look up.
    mutating func transact() throws(SQLiteWorkload.Failure) {
        transactions += 1
        if transactions % Shop.maintenancePeriod == 0 {
            try database.execute("REINDEX products_price")
        }
        try begin.run()
        switch random.below(100) {
        case 0..<45:
            try placeOrder(isSettled: false)
            try purgeOldestOrder()
        case 45..<70:
            let age = Int(random.below(UInt64(max(1, settings.orders / 20))))
            let state = ["paid", "packed", "shipped", "delivered"][Int(random.below(4))]
            try advanceOrder.run(.integer(max(1, nextOrder - 1 - age)), .text(state))
        case 70..<80:
            try changeCustomer.run(
                .integer(customers.pick(using: &random)),
                .text(Wording.address(using: &random)),
                .integer(nextOrder)
            )
        default:
            try listOrders.run(.integer(customers.pick(using: &random)))
        }
        try commit.run()
    }

    func verify() throws(SQLiteWorkload.Failure) -> (isSound: Bool, orders: Int) {
        let faults = try database.prepare(
            "SELECT count(*) FROM pragma_integrity_check WHERE integrity_check <> 'ok'"
        )
        let orders = try database.prepare("SELECT count(*) FROM orders")
        return (try faults.run() == 0, try orders.run())
    }

    /// - Parameter isSettled: whether stock and customer have already been charged, as for the
    ///   orders that the shop starts with.
    private mutating func placeOrder(isSettled: Bool) throws(SQLiteWorkload.Failure) {
        let order = nextOrder
        nextOrder += 1
        var total = 0
        for line in 1...(1 + Int(random.below(4))) {
            let product = products.pick(using: &random)
            let quantity = 1 + Int(random.below(3))
            let price = 199 + 100 * (product % 97)
            total += quantity * price
            try addLine.run(
                .integer(order),
                .integer(line),
                .integer(product),
                .integer(quantity),
                .integer(price)
            )
            if !isSettled { try takeStock.run(.integer(product), .integer(quantity)) }
        }
        let customer = customers.pick(using: &random)
        try addOrder.run(
            .integer(order),
            .integer(customer),
            .integer(1_700_000_000 + order),
            .integer(total),
            .text(Wording.note(using: &random))
        )
        if !isSettled {
            try chargeCustomer.run(.integer(customer), .integer(total), .integer(order))
        }
    }

    private mutating func purgeOldestOrder() throws(SQLiteWorkload.Failure) {
        guard nextOrder - oldestOrder > settings.orders else { return }
        try purgeLines.run(.integer(oldestOrder))
        try purgeOrder.run(.integer(oldestOrder))
        oldestOrder += 1
    }

    private mutating func fill() throws(SQLiteWorkload.Failure) {
        let addCustomer = try database.prepare(
            "INSERT INTO customers VALUES (?, ?, ?, ?, 100000, 0, 0)"
        )
        let addProduct = try database.prepare("INSERT INTO products VALUES (?, ?, ?, ?, ?, 500)")
        try begin.run()
        for id in 1...settings.customers {
            let name = Wording.name(using: &random)
            try addCustomer.run(
                .integer(id),
                .text(name),
                .text(Wording.email(of: name, id)),
                .text(Wording.address(using: &random))
            )
        }
        for id in 1...settings.products {
            try addProduct.run(
                .integer(id),
                .text("SKU-\(100_000 + id)"),
                .text(Wording.title(using: &random)),
                .text(Wording.description(using: &random)),
                .integer(199 + 100 * (id % 97))
            )
        }
        for _ in 0..<settings.orders { try placeOrder(isSettled: true) }
        try commit.run()
    }
}

/// Draws 1...count with probability falling as 1 / rank^0.99, ranks scattered over the numbers, as
/// popularity in a shop does (the exponent of the Yahoo! Cloud Serving Benchmark, Cooper et al.,
/// SoCC 2010).
struct ZipfChoice {
    private let cumulative: [Double]
    private let scatter: Int

    init(count: Int) {
        precondition(count > 0, "a choice among \(count)")
        var total = 0.0
        cumulative = (1...count).map { rank in
            total += 1 / DeterministicMath.pow(Double(rank), 0.99)
            return total
        }
        // A step without a common factor visits every number once.
        var step = max(1, count * 5 / 8)
        while ZipfChoice.greatestCommonDivisor(step, count) != 1 { step += 1 }
        scatter = step
    }

    func pick(using random: inout SeededRandom) -> Int {
        let target = random.unit() * cumulative[cumulative.count - 1]
        var low = 0
        var high = cumulative.count - 1
        while low < high {
            let middle = (low + high) / 2
            if cumulative[middle] <= target { low = middle + 1 } else { high = middle }
        }
        return 1 + low * scatter % cumulative.count
    }

    private static func greatestCommonDivisor(_ left: Int, _ right: Int) -> Int {
        right == 0 ? left : greatestCommonDivisor(right, left % right)
    }
}
