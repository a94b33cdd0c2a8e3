import DataSets
import Determinism
import Glibc
import Testing
import Units

@Suite struct SeededDataSetTests {
    /// Goal: the committed set is what its program makes, here and anywhere. Method: made again and
    /// compared with the file, page by page through its digest, and with the digest written here.
    @Test func committedSetIsReproduced() throws {
        let made = SeededDataSet.generate()
        #expect(
            "\(made.digest)" == "c8518a8030fbdf603bc28d3c808a0fef4e9c6abbb4792515817aafb0cb56ded2"
        )
        let catalogue = DataSetCatalogue(folder: Repository.datasets, workloadCommand: [])
        let committed = try catalogue.resolve(SeededDataSet.name)
        #expect(committed.digest == made.digest)
        #expect(committed.name == SeededDataSet.name)
        #expect(SeededDataSet.generate(seed: 43).digest != made.digest)
    }

    /// Goal: the tree that fills the set is a correct store. Method: 60,000 random operations against
    /// a dictionary, with all keys and values compared every 5,000.
    @Test func treeAgreesWithADictionary() {
        var random = Samples.random(41)
        var tree = PagedTree(pages: 3_000)
        var model: [UInt64: [UInt8]] = [:]
        for step in 0..<60_000 {
            let key = random.below(9_000) &* 0x9E37_79B9_7F4A_7C15
            switch random.below(10) {
            case 0..<6:
                let length =
                    random.chance(Ratio(0.01)) ? PagedTree.longestValue : Int(random.below(300))
                let value = [UInt8](repeating: UInt8(step & 0xff), count: length)
                tree.set(key, to: value)
                model[key] = value
            case 6..<8:
                let wasThere = tree.remove(key)
                #expect(wasThere == (model.removeValue(forKey: key) != nil))
            default:
                #expect(tree.value(of: key).map(Array.init) == model[key])
            }
            if step % 5_000 == 0 {
                #expect(tree.keys() == model.keys.sorted())
                #expect(tree.count == model.count)
                #expect(model.allSatisfy { tree.value(of: $0.key).map(Array.init) == $0.value })
            }
        }
        #expect(tree.freePages > 0)
    }
}
