import Foundation

/// Where a process that runs seeds trapped, so that crashes of different seeds can be told to be the
/// same: the function that contains the instruction, by the program's own table of symbols.
enum CrashPlace {
    private static let prefix = "crashed at offset "
    /// Where this program lies in memory; known before any signal can ask.
    nonisolated(unsafe) private static var base: UInt = 0

    /// Writes the place of a trap to standard error; the signal then ends the process as usual.
    static func install() {
        base = loadAddress()
        for number in [SIGILL, SIGTRAP, SIGSEGV, SIGBUS, SIGABRT, SIGFPE] {
            var action = sigaction()
            action.__sigaction_handler.sa_sigaction = { number, _, context in
                CrashPlace.report(context)
                // Also a signal from outside ends the process, once this handler has returned.
                signal(number, SIG_DFL)
                raise(number)
            }
            action.sa_flags = SA_SIGINFO
            sigaction(number, &action, nil)
        }
    }

    /// The message of a crash: what the program said, where it was, which signal ended it.
    static func describe(_ errors: String, _ signal: Int32?) -> String {
        var parts: [String] = []
        let lines = errors.split(separator: "\n")
        if let said = lines.last(where: { $0.contains("Fatal error") }) {
            parts.append(String(said.drop { $0 != "F" }))
        }
        if let line = lines.last(where: { $0.hasPrefix(prefix) }),
            let offset = UInt64(line.dropFirst(prefix.count), radix: 16)
        {
            parts.append("in " + (ProgramSymbols.own?.function(at: offset) ?? "offset \(offset)"))
        }
        if parts.isEmpty, let last = lines.last { parts.append(String(last)) }
        let name = signal.map { "SIG\(names[$0] ?? "NAL \($0)")" } ?? "ended"
        return ([name] + parts).joined(separator: " ")
    }

    private static let names: [Int32: String] = [
        SIGILL: "ILL", SIGTRAP: "TRAP", SIGSEGV: "SEGV", SIGBUS: "BUS", SIGABRT: "ABRT",
        SIGFPE: "FPE", SIGKILL: "KILL",
    ]

    /// In a signal handler: no allocation, no lock.
    private static func report(_ context: UnsafeMutableRawPointer?) {
        guard let context else { return }
        let machine = context.assumingMemoryBound(to: ucontext_t.self).pointee.uc_mcontext
        #if arch(x86_64)
            // The sixteenth of the general registers is the instruction pointer.
            let counter = UInt(bitPattern: Int(machine.gregs.16))
        #else
            let counter = UInt(machine.pc)
        #endif
        var text: (UInt64, UInt64, UInt64, UInt64, UInt64, UInt64) = (0, 0, 0, 0, 0, 0)
        withUnsafeMutableBytes(of: &text) { bytes in
            var count = 0
            for byte in StaticPrefix.bytes {
                bytes[count] = byte
                count += 1
            }
            let offset = counter &- base
            for digit in stride(from: 60, through: 0, by: -4) {
                let value = UInt8(truncatingIfNeeded: offset >> UInt(digit)) & 15
                bytes[count] = value < 10 ? 48 + value : 87 + value
                count += 1
            }
            bytes[count] = 10
            _ = write(STDERR_FILENO, bytes.baseAddress, count + 1)
        }
    }

    private enum StaticPrefix {
        static var bytes: UnsafeBufferPointer<UInt8> {
            let text: StaticString = "crashed at offset "
            return UnsafeBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount)
        }
    }

    private static func loadAddress() -> UInt {
        // The first mapping of a program is its own.
        let maps = (try? String(contentsOfFile: "/proc/self/maps", encoding: .utf8)) ?? ""
        return maps.split(separator: "-").first.flatMap { UInt($0, radix: 16) } ?? 0
    }
}

/// The functions of this program, by where they begin.
struct ProgramSymbols {
    private struct Function {
        let start: UInt64
        let size: UInt64
        let name: Int
    }

    private let functions: [Function]
    private let file: Data
    private let names: Int

    /// Read once; `nil` for a program without a table, as after `strip`.
    static let own = ProgramSymbols(path: DatasetCommand.ownExecutable)

    /// Reads the table `.symtab` of a 64-bit little-endian ELF file ("Executable and Linkable Format",
    /// System V ABI, chapters 4 and 5). A file that is anything else, or contradicts itself, gives `nil`.
    init?(path: String) {
        guard let file = try? Data(contentsOf: URL(filePath: path), options: .alwaysMapped),
            file.count > 64, file.prefix(6) == Data([0x7F, 0x45, 0x4C, 0x46, 2, 1])
        else { return nil }
        func word(_ offset: UInt64, _ size: Int) -> UInt64? {
            guard offset <= UInt64(file.count - size) else { return nil }
            return (0..<size).reduce(UInt64(0)) { sum, index in
                sum | UInt64(file[file.startIndex + Int(offset) + index]) << UInt64(8 * index)
            }
        }
        guard let sections = word(40, 8), let entry = word(58, 2), let count = word(60, 2) else {
            return nil
        }
        func section(_ index: UInt64) -> (kind: UInt64, offset: UInt64, size: UInt64, link: UInt64)?
        {
            let place = sections &+ index &* entry
            guard let kind = word(place &+ 4, 4), let offset = word(place &+ 24, 8),
                let size = word(place &+ 32, 8), let link = word(place &+ 40, 4),
                offset <= UInt64(file.count), size <= UInt64(file.count) - offset
            else { return nil }
            return (kind, offset, size, link)
        }
        // SHT_SYMTAB is 2; its link is the section of names.
        guard
            let table = (0..<count).lazy.compactMap({ section($0) }).first(where: { $0.kind == 2 }),
            let text = section(table.link)
        else { return nil }
        var found: [Function] = []
        for index in 0..<(table.size / 24) {
            let place = table.offset + index * 24
            // STT_FUNC is 2, in the low half of the info byte.
            guard let info = word(place + 4, 1), info & 15 == 2, let name = word(place, 4),
                let start = word(place + 8, 8), let size = word(place + 16, 8), start > 0
            else { continue }
            found.append(Function(start: start, size: size, name: Int(name)))
        }
        functions = found.sorted { $0.start < $1.start }
        names = Int(text.offset)
        self.file = file
    }

    /// The function that contains the instruction at `offset` of the program; `nil` when none does.
    func function(at offset: UInt64) -> String? {
        var low = 0
        var high = functions.count
        while low < high {
            let middle = (low + high) / 2
            if functions[middle].start <= offset { low = middle + 1 } else { high = middle }
        }
        guard low > 0 else { return nil }
        let candidate = functions[low - 1]
        guard offset < candidate.start + max(1, candidate.size) else { return nil }
        let begin = file.startIndex + names + candidate.name
        guard begin < file.endIndex else { return nil }
        let name = String(decoding: file[begin...].prefix { $0 != 0 }.prefix(4096), as: UTF8.self)
        return ProgramSymbols.readable(name)
    }

    /// A Swift name without what the compiler adds.
    private static func readable(_ name: String) -> String {
        guard let text = swiftDemangle(name, name.utf8.count, nil, nil, 0) else { return name }
        defer { free(text) }
        var words = String(cString: text)
        // `generic specialization <…> of f` is f.
        while let place = words.range(of: " of "),
            words.hasPrefix("generic spec")
                || words.hasPrefix("function signature spec") || words.hasPrefix("closure #")
                || words.hasPrefix("merged ") || words.hasPrefix("specialized ")
        {
            words = String(words[place.upperBound...])
        }
        return words
    }
}

@_silgen_name("swift_demangle")
private func swiftDemangle(
    _ name: UnsafePointer<CChar>?,
    _ length: Int,
    _ output: UnsafeMutablePointer<CChar>?,
    _ size: UnsafeMutablePointer<Int>?,
    _ flags: UInt32
) -> UnsafeMutablePointer<CChar>?
