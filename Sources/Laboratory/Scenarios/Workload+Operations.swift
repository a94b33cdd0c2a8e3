extension Scenario.Workload {
    /// How much a run asks for, where the kind has such a number: requests of each client, migrations,
    /// or sessions of clients. Setting it changes nothing where there is none.
    public var operations: Int? {
        get {
            switch self {
            case .echo(let echo): echo.requests
            case .migration(let migration): migration.count
            case .requests(let requests): requests.load.clients
            case .bulk, .transfer, .boot: nil
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
            case .requests(var requests):
                requests.load.clients = newValue
                self = .requests(requests)
            case .bulk, .transfer, .boot: break
            }
        }
    }

    /// Asks for no more replicas than there are nodes for, where the kind has replicas.
    public mutating func fit(into topology: Scenario.Topology) {
        switch self {
        case .requests(var requests):
            let nodes = topology.nodeCount - requests.load.places.count
            requests.replicas = min(requests.replicas, nodes / max(1, requests.groups))
            requests.membership = requests.membership?.limited(to: requests.replicas)
            let voters = requests.membership?.founders ?? requests.replicas
            requests.witnesses = min(requests.witnesses, max(0, voters - 1) / 2)
            self = .requests(requests)
        case .echo, .bulk, .transfer, .migration, .boot: break
        }
    }
}
