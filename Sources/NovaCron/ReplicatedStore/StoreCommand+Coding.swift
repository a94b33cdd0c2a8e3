import Machines

// Facts that cross a process boundary carry commands and results in their byte form.

extension StoreCommand: Codable {
    public init(from decoder: any Decoder) throws {
        var reader = WireReader(try [UInt8](from: decoder))
        try self.init(from: &reader)
        try reader.expectEnd()
    }

    public func encode(to encoder: any Encoder) throws {
        var writer = WireWriter()
        encode(into: &writer)
        try writer.bytes.encode(to: encoder)
    }
}

extension StoreResult: Codable {
    public init(from decoder: any Decoder) throws {
        var reader = WireReader(try [UInt8](from: decoder))
        try self.init(from: &reader)
        try reader.expectEnd()
    }

    public func encode(to encoder: any Encoder) throws {
        var writer = WireWriter()
        encode(into: &writer)
        try writer.bytes.encode(to: encoder)
    }
}
