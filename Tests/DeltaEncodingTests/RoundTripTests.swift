import DeltaEncoding
import Determinism
import Machines
import Testing
import Units

// Goal: whatever pages go in come out bit for bit, in every configuration.
// Method: seeded memories mutate for many rounds; each round's pages go through a pair of sessions.
@Suite struct RoundTripTests {
    @Test(arguments: EncodingConfiguration.all)
    func memoriesConvergeBitForBit(configuration: EncodingConfiguration) throws {
        var seen = EncodingStatistics()
        for seed in 0..<6 as Range<UInt64> {
            var memory = TestMemory(pageCount: 90, seed: seed)
            var encoder = BatchEncoder(
                session: seed,
                configuration: configuration,
                receiver: PageTable(pageCount: 90)
            )
            var decoder = BatchDecoder(session: seed, memory: PageTable(pageCount: 90))
            var numbers = memory.allNumbers
            for _ in 0..<12 {
                let encoded = encoder.prepare(memory.batch(numbers)).run()
                encoder.integrate(encoded)
                let decoded = try decoder.prepare(encoded.bytes).run().get()
                try decoder.integrate(decoded)
                #expect(decoder.memory.equals(memory))
                #expect(encoder.receiver.equals(memory))
                #expect(decoded.statistics == encoded.statistics)
                #expect(encoded.statistics.pages == numbers.count)
                #expect(encoded.statistics.sentBytes == encoded.bytes.count)
                seen += encoded.statistics
                numbers = memory.mutate()
            }
        }
        // A property over pages is worth little when a class of pages never occurs.
        for pageClass in PageClass.allCases where configuration.form == .hierarchical {
            #expect(seen[pageClass] > 10, "\(pageClass)")
        }
        if configuration.form == .literal { #expect(seen[.literal] == seen.pages) }
    }

    // Goal: jobs may run at once and finish in any order; sequence alone decides what they build on.
    // Method: prepare four batches, run them backwards, integrate them in a third order, decode in
    // sequence.
    @Test func preparedJobsDoNotDependOnEachOther() throws {
        var memory = TestMemory(pageCount: 64, seed: 9)
        var encoder = BatchEncoder(
            session: 1,
            configuration: EncodingConfiguration(form: .hierarchical, compression: .level1),
            receiver: PageTable(pageCount: 64)
        )
        var decoder = BatchDecoder(session: 1, memory: PageTable(pageCount: 64))
        var numbers = memory.allNumbers
        for _ in 0..<10 {
            var jobs: [EncodeJob] = []
            for _ in 0..<4 {
                jobs.append(encoder.prepare(memory.batch(numbers)))
                numbers = memory.mutate()
            }
            let backwards = jobs.reversed().map { $0.run() }
            for position in [2, 0, 3, 1] { encoder.integrate(backwards[position]) }
            for encoded in backwards.reversed() {
                try decoder.integrate(try decoder.prepare(encoded.bytes).run().get())
            }
        }
        #expect(numbers.allSatisfy { encoder.receiver[$0] == decoder.memory[$0] })
        #expect(encoder.nextSequence == decoder.nextSequence)
    }

    // Goal: a job is a pure function: the same inputs give the same bytes, cost and digest.
    // Method: run each job twice, between other jobs that leave other content in reused buffers.
    @Test func jobsAreReproducible() throws {
        var memory = TestMemory(pageCount: 64, seed: 3)
        for configuration in EncodingConfiguration.all {
            var encoder = BatchEncoder(
                session: 1,
                configuration: configuration,
                receiver: PageTable(pageCount: 64)
            )
            let first = encoder.prepare(memory.batch(memory.allNumbers))
            let second = encoder.prepare(memory.batch(memory.mutate()))
            let runs = [first.run(), second.run(), first.run(), second.run()]
            for (one, other, job) in [(runs[0], runs[2], first), (runs[1], runs[3], second)] {
                #expect(one.bytes == other.bytes)
                #expect(job.cost(of: one) == job.cost(of: other))
                var (left, right) = (HashChain(), HashChain())
                EncodeJob.digest(of: one, into: &left)
                EncodeJob.digest(of: other, into: &right)
                #expect(left.fingerprint == right.fingerprint)
            }
        }
    }

    // Goal: jobs on several threads do not disturb each other through the workspaces they reuse.
    // Method: encode and decode the same batches alone and many at once; the bytes must be equal.
    @Test func jobsRunOnAnyThread() async throws {
        let memory = TestMemory(pageCount: 64, seed: 13)
        let jobs = EncodingConfiguration.all.map { configuration in
            var encoder = BatchEncoder(
                session: 1,
                configuration: configuration,
                receiver: PageTable(pageCount: 64)
            )
            return encoder.prepare(memory.batch(memory.allNumbers))
        }
        let alone = jobs.map { $0.run().bytes }
        let decoder = BatchDecoder(session: 1, memory: PageTable(pageCount: 64))
        let equal = await withTaskGroup(of: Bool.self) { group in
            for round in 0..<80 {
                group.addTask {
                    let bytes = jobs[round % jobs.count].run().bytes
                    guard bytes == alone[round % jobs.count],
                        case .success(let batch) = decoder.prepare(bytes).run()
                    else { return false }
                    return batch.updates.map(\.bytes) == memory.pages
                }
            }
            return await group.reduce(0) { $0 + ($1 ? 1 : 0) }
        }
        #expect(equal == 80)
    }

    // Goal: a baseline that both ends hold already is used from the first batch on.
    // Method: both start from one image; one word changes; almost nothing may travel.
    @Test func aSharedImageIsABaseline() throws {
        var memory = TestMemory(pageCount: 64, seed: 5)
        let image = Bytes(memory.pages.flatMap { $0 })
        let numbers = memory.mutate()
        var encoder = BatchEncoder(
            session: 1,
            configuration: EncodingConfiguration(form: .hierarchical, compression: .none),
            receiver: PageTable(image: image),
            generation: 77
        )
        var decoder = BatchDecoder(
            session: 1,
            memory: PageTable(image: image),
            generation: 77
        )
        let encoded = encoder.prepare(memory.batch(numbers)).run()
        #expect(encoded.statistics[.delta] > 0)
        try decoder.integrate(try decoder.prepare(encoded.bytes).run().get())
        #expect(decoder.memory.equals(memory))
    }

    // Goal: the cost of a job counts what was really done.
    // Method: batches of one known class each.
    @Test func costsFollowTheWorkDone() throws {
        func cost(_ page: [UInt8], over baseline: [UInt8]?) -> [WorkKind: Int64] {
            var table = PageTable(pageCount: 1)
            if let baseline { table.set(PageNumber(0), to: Bytes(baseline)) }
            var encoder = BatchEncoder(
                session: 1,
                configuration: EncodingConfiguration(form: .hierarchical, compression: .level3),
                receiver: table
            )
            let job = encoder.prepare(PageBatch([PageVersion(PageNumber(0), Bytes(page))]))
            var sums: [WorkKind: Int64] = [:]
            for part in job.cost(of: job.run()).parts {
                sums[part.kind, default: 0] += part.bytes.bytes
            }
            return sums
        }
        let zeros = [UInt8](repeating: 0, count: Page.size)
        var ones = [UInt8](repeating: 1, count: Page.size)
        #expect(cost(zeros, over: nil)[.delta] == 0)
        #expect(cost(zeros, over: nil)[.compare] == 4096)
        #expect(cost(ones, over: ones)[.compare] == 4096)
        #expect(cost(ones, over: nil)[.zstd3Compress]! >= 4096)
        let before = ones
        ones[17] = 2
        #expect(cost(ones, over: before)[.delta] == 4096)
        #expect(cost(ones, over: before)[.zstd3Compress]! < 100)
    }
}
