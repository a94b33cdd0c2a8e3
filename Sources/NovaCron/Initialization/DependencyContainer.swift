import Synchronization

/// Names a value that one component provides to others, with its type.
public struct DependencyKey<Value: Sendable>: Sendable {
    /// The component that provides the value.
    public let component: String
    /// Unique within the component.
    public let name: String

    public init(_ name: String, from component: String, as type: Value.Type = Value.self) {
        self.component = component
        self.name = name
    }
}

/// Why a component does not get a value.
public enum DependencyError: Error, Hashable, Sendable, CustomStringConvertible {
    /// The component must name the other one among its dependencies first.
    case undeclared(component: String, key: String, provider: String)
    /// The other component is not ready, or provided no such value.
    case missing(component: String, key: String, provider: String)

    public var description: String {
        switch self {
        case .undeclared(let component, let key, let provider):
            "\(component) asks for '\(key)' of \(provider), which is not among its dependencies"
        case .missing(let component, let key, let provider):
            "\(component) asks for '\(key)', which \(provider) has not provided"
        }
    }
}

/// The values that components have provided so far.
final class DependencyContainer: Sendable {
    private let values = Mutex<[String: [String: any Sendable]]>([:])
    private let graph: ComponentGraph
    private let reachable: Reachability

    init(_ graph: ComponentGraph) {
        self.graph = graph
        reachable = graph.reachable
    }

    func provide<Value>(_ key: DependencyKey<Value>, _ value: Value) {
        values.withLock { $0[key.component, default: [:]][key.name] = value }
    }

    /// Forgets what a component has provided: its attempt failed, or it stopped.
    func removeValues(of component: String) {
        values.withLock { $0[component] = nil }
    }

    func find<Value>(
        _ key: DependencyKey<Value>,
        for component: String
    ) throws(DependencyError) -> Value? {
        guard key.component == component || stands(key.component, below: component) else {
            throw .undeclared(component: component, key: key.name, provider: key.component)
        }
        return values.withLock { $0[key.component]?[key.name] } as? Value
    }

    private func stands(_ lower: String, below upper: String) -> Bool {
        guard let lower = graph.position(of: lower), let upper = graph.position(of: upper)
        else { return false }
        return reachable.contains(lower, below: upper)
    }

    func require<Value>(
        _ key: DependencyKey<Value>,
        for component: String
    ) throws(DependencyError) -> Value {
        guard let value = try find(key, for: component) else {
            throw .missing(component: component, key: key.name, provider: key.component)
        }
        return value
    }
}
