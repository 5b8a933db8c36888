// SPDX-License-Identifier: Apache-2.0

internal import Jobs
internal import Kernel
internal import Persistence
internal import Web

/// Accounts of developers from outside, made and opened again by whoever reads the mail to an address.
///
/// Whoever asks learns nothing; what there is to say is said in the mail. The link in it carries all that is known, so that nothing
/// is kept of strangers who never come back.
struct SignUps: Sendable {
    let database: Database
    let mails: Mails
    let clock: WallClock
    let keeper: SecretKeeper
    let users: ManageUsers
    let settings: IdentitySettings

    /// What a link is for.
    struct Link: Sendable, Equatable {
        let email: String
        let name: String
        /// Where they go once they have signed in.
        var then: String
    }

    private static let lifetime = Duration.seconds(86_400)
    /// Bytes of where somebody wanted to go, which the link carries.
    private static let destinationMax = 1_000

    // MARK: Asking

    func ask(_ asked: Link, in transaction: Transaction) throws {
        var link = asked
        if link.then.utf8.count > Self.destinationMax { link.then = "/developers" }
        try mails.add(letter(for: link, in: transaction), in: transaction)
    }

    private func letter(for link: Link, in connection: Connection) throws -> Mail {
        let shop = settings.shopName
        guard try isOpen(to: link.email, in: connection) else {
            return Mail(
                to: link.email, subject: "Your account at \(shop)",
                text: """
                    Somebody, perhaps you, wanted to sign up as a developer at \(shop) with this mail address.

                    You have an account already. Sign in with it: \(settings.issuer)/sign-in

                    If you have lost its password, ask the shop. If it was not you, do nothing.
                    """)
        }
        let address = settings.issuer + SignUpPage.linkPath + "?key=" + (try key(for: link, in: connection))
        return Mail(
            to: link.email, subject: "Your account at \(shop)",
            text: """
                Somebody, perhaps you, wanted an account as a developer at \(shop) with this mail address.

                Choose its password here: \(address)

                The link is good for a day, once. If it was not you, do nothing.
                """)
    }

    /// Whether the address has no account, or one of the kind that is made here.
    private func isOpen(to email: String, in connection: Connection) throws -> Bool {
        guard let holder = try UserStore.find(email: email, in: connection)?.user else { return true }
        return holder.isPartner
    }

    // MARK: The key in the link

    /// A form of the link's fields, and a tag over it.
    private func key(for link: Link, in connection: Connection) throws -> String {
        let until = clock.now().advanced(by: Self.lifetime).milliseconds
        let form = Form(fields: [
            .init(name: "email", value: link.email), .init(name: "name", value: link.name),
            .init(name: "then", value: link.then), .init(name: "until", value: String(until)),
        ])
        let text = RandomText.text(form.encoded.utf8)
        return text + "." + RandomText.text(keeper.tag("sign-up", text + (try state(of: link.email, in: connection))))
    }

    /// What a link changes when it is used, so that it is good once.
    private func state(of email: String, in connection: Connection) throws -> String {
        guard let (user, password) = try UserStore.find(email: email, in: connection) else { return "" }
        return "\n" + user.id.rawValue + "\n" + password
    }

    func link(with key: String) async throws -> Link? { try await database.read { try link(with: key, in: $0) } }

    private func link(with key: String, in connection: Connection) throws -> Link? {
        let parts = key.split(separator: ".", omittingEmptySubsequences: false)
        guard parts.count == 2, key.utf8.count < 8_000, let bytes = RandomText.bytes(String(parts[0])),
            let form = Form(encoded: String(decoding: bytes, as: UTF8.self)), let email = form["email"],
            let until = form["until"].flatMap({ Int64($0) }), clock.now().milliseconds < until
        else { return nil }
        let tag = keeper.tag("sign-up", String(parts[0]) + (try state(of: email, in: connection)))
        guard RandomText.text(tag).isSame(as: parts[1]), try isOpen(to: email, in: connection) else { return nil }
        return Link(email: email, name: form["name"] ?? "", then: form["then"] ?? "")
    }

    // MARK: Coming back

    /// Makes the account, or gives it another password.
    ///
    /// - Returns: `nil` where the link is not good any more.
    func open(with key: String, password: String, in transaction: Transaction) throws -> Link? {
        guard let early = try link(with: key, in: transaction) else { return nil }
        try transaction.serialize(on: "address " + early.email)
        // Again, now that nobody else can have used it meanwhile.
        guard let link = try link(with: key, in: transaction) else { return nil }
        try UserStore.release(link.email, in: transaction)
        if let known = try UserStore.find(email: link.email, in: transaction)?.user {
            try UserStore.lock(known.id, in: transaction)
            if try !UserStore.isProved(known.id, in: transaction) {
                // Whoever made it may have been somebody else, who must not be left a way in, nor able to keep its owner out.
                try SecondFactorStore.remove(of: known.id, in: transaction)
                try users.endEverything(of: known.id, in: transaction)
            }
            try UserStore.setProved(known.id, in: transaction)
            try users.setPassword(password, of: known.id, keeping: nil, by: known.id.rawValue, in: transaction)
        } else {
            let user = try users.add(
                email: link.email, name: link.name, role: Role.partner.name, password: password, by: "sign-up",
                in: transaction)
            try UserStore.setProved(user.id, in: transaction)
        }
        return link
    }
}
