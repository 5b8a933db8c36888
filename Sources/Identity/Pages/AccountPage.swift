// SPDX-License-Identifier: Apache-2.0

internal import Kernel
internal import Web

/// What somebody has allowed, and where they are signed in.
struct AccountPage: PageValues {
    struct AppRow {
        let id: String
        let name: String
        /// What it may do, in words; `nil` where it has to ask anew.
        let meanings: String?
        let since: String
    }

    struct SessionRow {
        let id: String
        let browser: String
        let agent: String
        let address: String
        let seen: String
        let isThis: Bool
    }

    let template = "account"
    let name: String
    let email: String
    let role: String
    let notice: String?
    let trouble: String?
    let hasApps: Bool
    let apps: [AppRow]
    let sessions: [SessionRow]
    let hasSecondFactor: Bool
    /// Whether this is a sandbox that they may take back to its beginning.
    let mayReset: Bool
    let formToken: String

    init(
        _ visitor: SignIn.Visitor, sessions: [BrowserSession],
        apps: [(app: AppID, name: String, scopes: ScopeSet, givenAt: Timestamp)],
        notice: (text: String, isWrong: Bool)?, isSandbox: Bool, formToken: String
    ) {
        let user = visitor.user
        (name, email, role, hasSecondFactor) = (user.name, user.email, user.role, user.hasSecondFactor)
        self.notice = notice.flatMap { $0.isWrong ? nil : $0.text }
        trouble = notice.flatMap { $0.isWrong ? $0.text : nil }
        hasApps = !apps.isEmpty
        self.apps = apps.map { app in
            AppRow(
                id: app.app.rawValue, name: app.name,
                meanings: app.scopes.isEmpty ? nil : app.scopes.meanings(to: user).joined(separator: " · "),
                since: Self.minute(app.givenAt))
        }
        self.sessions = sessions.map { session in
            SessionRow(
                id: session.id, browser: Self.browser(session.agent), agent: session.agent, address: session.address,
                seen: Self.minute(session.seenAt), isThis: session.id == visitor.session.id)
        }
        mayReset = isSandbox && user.scopes.contains(.writeApps)
        self.formToken = formToken
    }

    private static func minute(_ time: Timestamp) -> String {
        String(time.rfc3339.prefix(16)).replacing("T", with: " ") + " UTC"
    }

    /// A browser and its system, as far as what it says of itself tells.
    private static func browser(_ agent: String) -> String {
        let name = [("Edg/", "Edge"), ("Firefox/", "Firefox"), ("Chrome/", "Chrome"), ("Safari/", "Safari")]
            .first { agent.contains($0.0) }?.1
        let system = [
            ("Android", "Android"), ("iPhone", "iPhone"), ("iPad", "iPad"), ("Windows", "Windows"), ("Mac OS", "macOS"),
            ("Linux", "Linux"),
        ].first { agent.contains($0.0) }?.1
        let known = [name, system].compactMap(\.self).joined(separator: " on ")
        return known.isEmpty ? (agent.isEmpty ? "Unknown browser" : String(agent.prefix(60))) : known
    }
}
