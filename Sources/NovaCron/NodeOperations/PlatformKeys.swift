import Effects
import Initialization

enum PlatformKeys {
    static let database = DependencyKey<any Database>("database", from: "database")
}
