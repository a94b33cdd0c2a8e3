import GRDBSQLite
import Glibc
public import Units

/// A shop on SQLite, kept busy: the program whose memory the default data set holds.
///
/// Customers, products, orders and order lines with four indexes live in an in-memory database that
/// the real library fills and then changes at a steady, throttled rate: orders are placed for
/// Zipf-distributed customers and products, change their state, are looked up by range and are purged,
/// and a small index is rebuilt now and then. The work is a function of the seed; the bytes in memory
/// also depend on the library's version and on where the system maps memory, so a captured set is
/// identified by its digest, never by its seed.
public struct SQLiteWorkload: ~Copyable {
    public struct Settings: Hashable, Sendable {
        public var seed: UInt64
        public var customers: Int
        public var products: Int
        /// Orders kept: as many are purged as are placed.
        public var orders: Int
        /// The steady rate; a process that was stopped does not catch up.
        public var transactionsPerSecond: Int
        /// It ends by itself after this time, whoever started it.
        public var duration: Interval

        public init(
            seed: UInt64 = 1,
            customers: Int = 70_000,
            products: Int = 25_000,
            orders: Int = 300_000,
            transactionsPerSecond: Int = 300,
            duration: Interval = .seconds(120)
        ) {
            self.seed = seed
            self.customers = customers
            self.products = products
            self.orders = orders
            self.transactionsPerSecond = transactionsPerSecond
            self.duration = duration
        }
    }

    /// What SQLite answered when it should not have.
    public struct Failure: Error, CustomStringConvertible {
        public var description: String
    }

    /// The line on standard output that tells that the database is filled.
    public static let readyLine = "workload ready"

    private let settings: Settings
    private var shop: Shop

    /// Fills the database.
    public init(_ settings: Settings) throws(Failure) {
        self.settings = settings
        shop = try Shop(settings)
    }

    /// The whole program: fills, says that it is ready, works until the duration is over, it is
    /// ended, or the process that started it is gone.
    public static func run(_ settings: Settings = Settings()) throws(Failure) {
        let parent = getppid()
        var workload = try SQLiteWorkload(settings)
        let line = Array("\(readyLine)\n".utf8)
        _ = write(1, line, line.count)
        try workload.work { getppid() == parent }
    }

    /// Runs transactions in ticks of 5 ms until the duration is over or `goesOn` says no.
    public mutating func work(while goesOn: () -> Bool) throws(Failure) {
        let tick = Interval.milliseconds(5)
        let end = MonotonicTime.now + settings.duration
        var due = MonotonicTime.now
        var owed = 0
        while MonotonicTime.now < end, goesOn() {
            owed += settings.transactionsPerSecond
            while owed >= 200 {
                owed -= 200
                try shop.transact()
            }
            due += tick
            let now = MonotonicTime.now
            if due < now { due = now }
            MonotonicTime.sleep(due - now)
        }
    }

    /// Runs a number of transactions at full speed.
    public mutating func work(transactions: Int) throws(Failure) {
        for _ in 0..<transactions { try shop.transact() }
    }

    /// Whether the database is sound, by SQLite's own integrity check, and how many orders it holds.
    public mutating func verify() throws(Failure) -> (isSound: Bool, orders: Int) {
        try shop.verify()
    }
}
