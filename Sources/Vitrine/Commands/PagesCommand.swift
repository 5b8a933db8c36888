// SPDX-License-Identifier: Apache-2.0

internal import ArgumentParser
internal import Foundation
internal import Identity

struct PagesCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "pages", abstract: "The pages on which people sign in, as templates to change.",
        discussion: """
            Writes the built-in templates (mustache) and their style sheet. A shop that is opened with VITRINE_PAGES takes what
            lies in that folder in place of the built-in ones; keep only what you have changed.
            """)

    @Option(help: "Where to; made where it is not there. What lies there already is kept.")
    var directory: String

    func run() throws {
        do {
            try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
            for (name, bytes) in PageTemplates.files.sorted(by: { $0.key < $1.key }) {
                let path = directory + "/" + name
                guard !FileManager.default.fileExists(atPath: path) else { continue }
                try Data(bytes).write(to: URL(filePath: path))
                Terminal.say(path)
            }
        } catch {
            throw ValidationError("Cannot write to \(directory): \(error.localizedDescription)")
        }
    }
}
