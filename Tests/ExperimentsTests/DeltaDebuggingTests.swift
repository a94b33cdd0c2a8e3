import Experiments
import Testing

/// Goal: delta debugging finds the causes of a failure, no more than them, and in few runs.
/// Method: made-up predicates whose minimal sets are known, monotone and not; every result is held
/// against the definition of 1-minimality, and every set tried is remembered.
@Suite struct DeltaDebuggingTests {
    /// Reduces `0..<count` under a predicate; also gives the sets that were tried.
    private func reduce(
        _ count: Int,
        _ fails: @escaping (Set<Int>) -> Bool
    ) throws -> (result: [Int], tried: [[Int]]) {
        var tried: [[Int]] = []
        var debugging = DeltaDebugging<Int>(firstFailing: { candidates in
            for (index, candidate) in candidates.enumerated() {
                tried.append(candidate)
                if fails(Set(candidate)) { return index }
            }
            return nil
        })
        return (try debugging.minimum(of: Array(0..<count)), tried)
    }

    @Test(arguments: [[17], [3, 4], [0, 63], [5, 21, 40], [1, 2, 3, 60, 61, 62]])
    func monotoneCausesAreFoundExactly(causes: [Int]) throws {
        let (result, tried) = try reduce(64) { $0.isSuperset(of: causes) }
        #expect(result == causes)
        // Zeller and Hildebrandt: at most |c|² + 3|c| tests; far fewer for few causes.
        #expect(tried.count <= 64 * 64 + 3 * 64)
        if causes.count == 1 { #expect(tried.count <= 2 * 6 + 3) }
    }

    @Test func whatFailsWithoutAnythingNeedsNothing() throws {
        let (result, tried) = try reduce(100) { _ in true }
        #expect(result.isEmpty)
        #expect(tried == [[]])
    }

    @Test func whatNeedsEverythingKeepsEverything() throws {
        let (result, _) = try reduce(16) { $0.count == 16 }
        #expect(result == Array(0..<16))
    }

    @Test func oneElementStays() throws {
        let (result, tried) = try reduce(1) { $0 == [0] }
        #expect(result == [0])
        #expect(tried == [[]])
        #expect(try reduce(0) { _ in true }.result.isEmpty)
    }

    /// Method: failing is not monotone: an element inhibits the failure, or parity decides. The
    /// result must still fail, and must fail no more without any one element.
    @Test(arguments: 0..<40) func whatIsNotMonotoneEndsOneMinimal(seed: Int) throws {
        let cause = seed * 7 % 30
        let inhibitor = (cause + 1 + seed % 5) % 30
        let helper = (inhibitor + 1) % 30
        let predicates: [(Set<Int>) -> Bool] = [
            { $0.contains(cause) && (!$0.contains(inhibitor) || $0.contains(helper)) },
            { $0.contains(cause) && $0.count % 3 == 0 },
            { $0.count { $0 % 7 == seed % 7 } >= 2 },
        ]
        for fails in predicates where fails(Set(0..<30)) {
            let (result, _) = try reduce(30, fails)
            #expect(fails(Set(result)))
            for element in result {
                #expect(!fails(Set(result).subtracting([element])), "\(element) is not needed")
            }
        }
    }

    @Test func nothingIsTriedTwice() throws {
        let (_, tried) = try reduce(40) { $0.isSuperset(of: [1, 17, 33]) }
        let passing = tried.filter { !Set($0).isSuperset(of: [1, 17, 33]) }
        #expect(Set(passing).count == passing.count)
    }

    @Test func whatTheRunsThrowEndsTheSearch() {
        struct Stop: Error {}
        var debugging = DeltaDebugging<Int>(firstFailing: { _ in throw Stop() })
        #expect(throws: Stop.self) { try debugging.minimum(of: [1, 2, 3]) }
    }
}
