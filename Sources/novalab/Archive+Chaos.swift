import Measurements
import ResultsStore

extension Archive {
    /// The seeds of this plan that chaos campaigns have run.
    func seeds() throws -> [SeedResult] {
        try Archive.attempt { () throws(StoreError) in try store.seeds(ofPlan: plan.identity) }
    }

    func record(_ seed: SeedResult) throws {
        try Archive.attempt { () throws(StoreError) in try store.record(seed, in: plan) }
    }
}
