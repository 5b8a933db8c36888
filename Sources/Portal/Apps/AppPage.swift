// SPDX-License-Identifier: Apache-2.0

internal import Kernel
internal import Web

/// One app: what it is, what it proves itself by here and in the sandbox, and the end of it.
struct AppPage: Sendable {
    let visit: Visit
    let app: JSON
    /// The state that the form was made from, so that nobody overwrites what somebody else has changed since.
    let entityTag: String
    /// `nil` for who may only look.
    let secrets: [JSON]?
    /// `nil` where there is no sandbox.
    let test: JSON?
    /// A secret that has just been made, and cannot be had again.
    var newSecret: String?
    var trouble: String?
    var done: String?
    /// What was sent and refused, so that nobody writes it twice.
    var sent: JSON?

    private var address: String { "/developers/apps/" + text("id") }

    private func text(_ name: String) -> String { app[name]?.string ?? "" }

    var page: PortalPage {
        PortalPage(
            title: text("name"),
            body: """
                \(Notice.done(done))\(Notice.wrong(trouble))\(made)
                <section><h2>Client</h2><dl><dt>client_id</dt><dd><code>\(text("id"))</code></dd>
                <dt>Kind</dt><dd>\(text("type"))</dd><dt>Version of the API</dt><dd>\(text("api_version"))</dd></dl>
                <p><a href="\(address)/requests">What it has asked</a></p></section>
                \(secrets == nil ? onlyLooking : changing)
                """, status: trouble == nil ? 200 : 422)
    }

    /// For who may see the app and not change it.
    private var onlyLooking: HTML {
        "<p class=\"quiet\">Whoever is a developer in the organisation, or owns it, changes the app and its secrets.</p>"
    }

    private var changing: HTML {
        """
                \(text("type") == "confidential" ? credentials : "")\(sandbox)
                <section><h2>What it is</h2><form method="post" action="\(address)">\(visit.token)
                <input type="hidden" name="etag" value="\(entityTag)">\(AppForm.fields(of: sent ?? app))
                <button>Save</button></form></section>
                <section><h2>The end of it</h2><p>Removing the app ends its tokens at once, for everybody who has let it in.</p>
                <form method="post" action="\(address)/remove">\(visit.token)
                <label class="tick"><input type="checkbox" name="sure" value="yes" required> I am sure</label>
                <button class="plain">Remove the app</button></form></section>
        """
    }

    private var made: HTML { newSecret.map(NewSecretPage.notice) ?? "" }

    private var credentials: HTML {
        let rows = (secrets ?? []).map { secret -> HTML in
            let end: HTML = secret["expires_at"]?.string.map { " · good until \($0)" } ?? ""
            return
                "<li><code>\(secret["hint"]?.string ?? "")…</code> since \(secret["created_at"]?.string ?? "")\(end)</li>"
        }
        return """
            <section><h2>Secrets</h2><ul class="rows">\(rows)</ul>
            <form method="post" action="\(address)/secrets">\(visit.token)
            <label><span>The others stay good for</span><select name="overlap"><option value="0">no longer</option>
            <option value="3600">an hour</option><option value="86400" selected>a day</option>
            <option value="604800">a week</option></select></label>
            <button>Make a new secret</button></form></section>
            """
    }

    private var sandbox: HTML {
        guard let test else { return "" }
        let secret: HTML =
            test["client_secret"]?.string.map { "<dt>client_secret</dt><dd><code>\($0)</code></dd>" } ?? ""
        return """
            <section><h2>In the sandbox</h2><dl><dt>Address</dt><dd><code>\(test["url"]?.string ?? "")</code></dd>
            <dt>client_id</dt><dd><code>\(test["client_id"]?.string ?? "")</code></dd>\(secret)</dl>
            <p class="quiet">There it acts for itself (<code>client_credentials</code>) with the scopes below; here somebody must
            let it in.</p></section>
            """
    }
}

/// A secret that has just been made.
enum NewSecretPage {
    static func notice(_ secret: String) -> HTML {
        """
        <section class="notice" role="status"><p>The secret is shown only now. Keep it where only your server reads it.</p>
        <p><code class="key">\(secret)</code></p></section>
        """
    }

    static func page(_ secret: String) -> PortalPage {
        PortalPage(title: "A new secret", body: notice(secret) + "<p><a href=\"/developers/apps\">Your apps</a></p>")
    }
}

/// The fields of an app, as a form and back.
enum AppForm {
    private static let scopes = Scope.allCases.filter(Scope.ofTrade.contains)
    private static let identity = ["openid", "profile", "email"]
    private static let people = [
        ("staff", "those who work in the shop"), ("customers", "customers of the shop"), ("everybody", "both"),
    ]

    static func fields(of app: JSON) -> HTML {
        func list(_ name: String) -> [String] { (app[name]?.array ?? []).compactMap(\.string) }
        let chosen = Set(list("scopes"))
        let named = identity.map { ($0, "Know who it is (\($0))") } + scopes.map { ($0.rawValue, $0.meaning) }
        let boxes = named.map { name, meaning -> HTML in
            """
            <label class="tick"><input type="checkbox" name="scope" value="\(name)"\(chosen.contains(name) ? " checked" as HTML : "")>
            \(meaning) <code>\(name)</code></label>
            """
        }
        // What the shop has let it ask for beyond that stays, though it is not to be chosen here.
        let kept = list("scopes").filter { scope in !named.contains { $0.0 == scope } }.map { scope -> HTML in
            "<input type=\"hidden\" name=\"scope\" value=\"\(scope)\">"
        }
        let choices = people.map { value, meaning -> HTML in
            "<option value=\"\(value)\"\(app["people"]?.string == value ? " selected" as HTML : "")>\(meaning)</option>"
        }
        return """
            <label><span>Name, as people see it who are asked</span><input name="name" required maxlength="100"
            value="\(app["name"]?.string ?? "")"></label>
            <label><span>Where people read about it (https)</span><input name="homepage" type="url" maxlength="300"
            value="\(app["homepage"]?.string ?? "")"></label>
            <label><span>Redirect URIs, one a line</span><textarea name="redirect_uris" rows="3"
            >\(list("redirect_uris").joined(separator: "\n"))</textarea></label>
            <label><span>Origins whose pages call the API, one a line, beside those above</span><textarea name="allowed_origins" rows="2"
            >\(list("allowed_origins").joined(separator: "\n"))</textarea></label>
            <label><span>Whom it asks</span><select name="people">\(choices)</select></label>
            <fieldset><legend>What it asks for</legend>\(kept)\(boxes)</fieldset>
            """
    }

    /// The body that the API takes.
    static func body(of form: Form) -> [JSON.Member] {
        func lines(_ name: String) -> JSON {
            let lines = (form[name] ?? "").split(whereSeparator: \.isNewline).map { $0.filter { $0 != " " } }
            return .array(lines.filter { !$0.isEmpty }.map { .string($0) })
        }
        let homepage = form["homepage"]
        return [
            .init("name", .string(form["name"] ?? "")),
            .init("redirect_uris", lines("redirect_uris")), .init("allowed_origins", lines("allowed_origins")),
            .init("people", .string(form["people"] ?? "staff")),
            .init("scopes", .array(form.fields.filter { $0.name == "scope" }.map { .string($0.value) })),
            .init("homepage", homepage.map { .string($0) } ?? .null),
        ]
    }
}
