/// Why components cannot be started as a graph.
public enum GraphError: Error, Hashable, Sendable, CustomStringConvertible {
    /// The components need each other; the path starts and ends with the same name.
    case cycle([String])
    /// A component that does not exist; `path` leads to it from a component nobody needs.
    case missing(name: String, path: [String], nearest: String?)
    case duplicate(String)
    /// A component cannot depend on one of a later phase.
    case laterPhase(component: String, dependency: String)

    public var description: String {
        switch self {
        case .cycle(let path):
            "components need each other: \(path.joined(separator: " -> "))"
        case .missing(let name, let path, let nearest):
            "there is no component '\(name)' (\(path.joined(separator: " -> ")))"
                + (nearest.map { "; did you mean '\($0)'?" } ?? "")
        case .duplicate(let name):
            "two components are named '\(name)'"
        case .laterPhase(let component, let dependency):
            "\(component) depends on \(dependency), which belongs to a later phase"
        }
    }
}
