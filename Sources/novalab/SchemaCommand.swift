import ArgumentParser
import Foundation
import Scenarios

struct SchemaCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "schema",
        abstract: "Prints the JSON Schema of scenario files, for editors.",
        discussion: """
            Example:
              novalab schema > scenario.schema.json
            """
    )

    func run() throws {
        print(ScenarioSchema.text)
    }
}

struct InitCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "init",
        abstract: "Writes a commented scenario to start from.",
        discussion: """
            Examples:
              novalab init my-link
              novalab init my-link --output scenarios/study/my-link.yaml
            """
    )

    @Argument(help: "The scenario's name: lower-case letters, digits and dashes.")
    var name: String

    @Option(name: .shortAndLong, help: "The file to write; NAME.yaml without it.")
    var output: String?

    @Flag(help: "Replace the file if it is there.")
    var force = false

    func run() throws {
        let text: String
        do {
            text = try ScenarioTemplate.text(name: name)
        } catch {
            throw CommandFailure(code: 64, message: error.description)
        }
        let path = output ?? "\(name).yaml"
        if !force, FileManager.default.fileExists(atPath: path) {
            throw CommandFailure(
                code: 64,
                message: "\(path) exists; choose another --output, or replace it with --force"
            )
        }
        do {
            try Data(text.utf8).write(to: URL(fileURLWithPath: path), options: .atomic)
        } catch {
            throw CommandFailure(
                code: 74,
                message: "cannot write \(path): \(error.localizedDescription)"
            )
        }
        print(
            "\(path) is written; check it with 'novalab check \(path)', run it with 'novalab run \(path)'"
        )
    }
}
