// SPDX-License-Identifier: Apache-2.0

internal import ArgumentParser
internal import Identity
internal import Kernel
internal import Persistence
internal import Web

struct UserCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "user", abstract: "Let somebody in who works in the shop.",
        discussion: """
            Prints a password, once; they sign in with it at /account and change it there. The shop may be running. What they
            may do, they can let apps do: docs/APPS.md.
            """)

    @OptionGroup var location: LocationOptions

    @Argument(help: "Their mail address.")
    var email: String

    @Option(name: .long, help: "What they are called; their mail address where missing.")
    var name: String?

    @Option(name: .long, help: "owner, developer, support, viewer, or a role of your own.")
    var role = "owner"

    func run() async throws {
        let shop = try await Shop.open(try location.configuration())
        do {
            Terminal.say("The password of \(email), shown only now: \(try await Self.add(email, name, role, to: shop))")
        } catch let error as IdentityError {
            await shop.database.close()
            throw ValidationError(error.problem.detail)
        }
        await shop.database.close()
    }

    /// - Returns: the password.
    static func add(_ email: String, _ name: String?, _ role: String, to shop: Shop) async throws -> String {
        var decoding = Decoding()
        guard Schema.email.decode(.string(email), &decoding) != nil else {
            throw ValidationError("\(email) is no mail address.")
        }
        let password = Base64URL.encode((0..<12).map { _ in UInt8.random(in: .min ... .max) })
        let users = shop.identity.users
        let hash = try await users.hash(password)
        _ = try await shop.database.write {
            try users.add(email: email, name: name ?? email, role: role, password: hash, by: "vitrine user", in: $0)
        }
        return password
    }
}
