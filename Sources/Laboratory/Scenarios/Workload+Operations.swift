extension Scenario.Workload {
    /// How many operations a run makes, where the kind has such a number: requests of each client,
    /// or migrations. Setting it changes nothing where there is none.
    public var operations: Int? {
        get {
            switch self {
            case .echo(let echo): echo.requests
            case .migration(let migration): migration.count
            case .bulk, .transfer, .boot, .requests: nil
            }
        }
        set {
            guard let newValue else { return }
            switch self {
            case .echo(var echo):
                echo.requests = newValue
                self = .echo(echo)
            case .migration(var migration):
                migration.count = newValue
                migration.concurrency = min(migration.concurrency, newValue)
                self = .migration(migration)
            case .bulk, .transfer, .boot, .requests: break
            }
        }
    }
}
