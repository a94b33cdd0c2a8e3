import Effects
import Initialization
import Scenarios
import Units

/// A component of a simulated node: a real one, a model of one, or a real one with the costs of a
/// model. Faults of boots strike here.
struct StagedComponent: Component {
    let specification: ComponentSpecification
    /// The real component; nil for a model.
    private let base: (any Component)?
    private let life: NodeLife

    init(modelling specification: ComponentSpecification, in life: NodeLife) {
        self.specification = specification
        base = nil
        self.life = life
    }

    init(_ base: any Component, in life: NodeLife) {
        specification = base.specification
        self.base = base
        self.life = life
    }

    var fallbacks: [any Component] {
        // A replacement is free of the faults and costs of what it replaces.
        base?.fallbacks ?? []
    }

    func initialize(_ context: ComponentContext) async throws {
        try life.strike(specification.name, .before)
        try await life.work(as: specification.name)
        try await base?.initialize(context)
    }

    func start(_ context: ComponentContext) async throws {
        try await base?.start(context)
        try life.failIfAsked(specification.name)
        try life.strike(specification.name, .after)
    }

    func serve(_ context: ComponentContext) async {
        await base?.serve(context)
    }

    func drain(_ context: ComponentContext) async {
        await base?.drain(context)
    }

    func stop(_ context: ComponentContext) async {
        await base?.stop(context)
    }

    func healthCheck(_ context: ComponentContext) async -> ComponentHealth {
        await base?.healthCheck(context) ?? .healthy
    }
}

/// An attempt failed because a scenario's fault wanted it.
struct WantedFailure: Error, CustomStringConvertible {
    var description: String
}
