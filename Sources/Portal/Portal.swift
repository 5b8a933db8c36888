// SPDX-License-Identifier: Apache-2.0

internal import Kernel
package import Web

/// The front door: the developers' pages by path.
package struct PortalModule: Sendable {
    /// Where things are, and what they are called.
    package struct Setting: Sendable {
        let shopName: String
        /// By which clients reach what this process serves.
        let address: String
        /// Where the developers' pages are; this address again, but in a sandbox.
        let home: String
        /// `nil` where there is none.
        let sandbox: String?
        /// Whether strangers make accounts themselves.
        let isSignUpOpen: Bool

        package init(shopName: String, address: String, home: String, sandbox: String?, isSignUpOpen: Bool) {
            (self.shopName, self.address, self.home, self.sandbox) = (shopName, address, home, sandbox)
            self.isSignUpOpen = isSignUpOpen
        }
    }

    private let setting: Setting
    private let description: APIDescription
    private let reference: ReferencePages
    private let recognise: RecogniseVisitor
    private let ask: ShopAPI.Ask

    package init(
        _ setting: Setting, describing description: APIDescription, recognise: @escaping RecogniseVisitor,
        ask: @escaping ShopAPI.Ask
    ) {
        self.setting = setting
        self.description = description
        self.recognise = recognise
        self.ask = ask
        reference = ReferencePages(document: description.document)
    }

    /// What the API's own answers point to, and so is wherever the API is.
    package var explanations: [Endpoint] {
        [
            document("/problems", "listProblems", "All kinds of problems") { _, _ in
                ProblemPages.list(description.problems)
            },
            document("/problems/{slug}", "getProblem", "What a kind of problem means and what to do") { visit, _ in
                let slug = visit.path.split(separator: "/").last.map(String.init)
                guard let problem = description.problems.first(where: { $0.slug == slug }) else {
                    return ProblemPages.unknown
                }
                return ProblemPages.page(problem, baseURL: setting.address)
            },
            document("/changelog", "getChangelog", "What changed from version to version") { _, _ in
                ChangelogPage.page(description)
            },
            .exchange(.get, PortalStyle.path, "portalStyle", "How the developers' pages look") { _, _ in
                PortalStyle.response
            },
        ]
    }

    /// For those who come to build something.
    package var guides: [Endpoint] {
        [
            document("/developers", "developerStart", "How to begin") { visit, api in
                let apps = try await TrialApps.of(visit, api)
                return StartPage(visit: visit, server: setting.sandbox, apps: apps, isSignUpOpen: setting.isSignUpOpen)
                    .page
            },
            document("/developers/reference", "developerReference", "Every operation") { _, _ in reference.list },
            document("/developers/reference/{operation}", "developerOperation", "An operation") { visit, api in
                guard let operation = reference.find(visit.subject) else { return FaultPage.nothing }
                guard let sandbox = setting.sandbox else { return reference.page(operation, trial: nil) }
                let trial = Trial(operation: operation, server: sandbox, apps: try await TrialApps.of(visit, api))
                return reference.page(operation, trial: trial)
            },
            .exchange(.get, PortalStyle.scriptPath, "portalScript", "What the reference does with a script") { _, _ in
                PortalStyle.script
            },
        ]
    }

    /// Where developers manage what is theirs.
    package var apps: [Endpoint] { AppRoutes(page: page, hasSandbox: setting.sandbox != nil).endpoints }

    /// A page for everybody, which knows who is signed in. Whatever the shop's state is, it can be read.
    private func document(
        _ path: String, _ operationID: String, _ summary: String,
        _ make: @escaping @Sendable (Visit, ShopAPI?) async throws -> PortalPage
    ) -> Endpoint {
        .exchange(.get, path, operationID, summary) { _, exchange in
            let visitor = try? await recognise(exchange)
            let visit = visit(exchange, visitor ?? PageVisitor(person: nil, formToken: "", form: nil, cookies: []))
            let api = visitor?.person.map { ShopAPI(ask: ask, principal: $0.principal) }
            return try await make(visit, api).response(visit, cookies: [])
        }
    }

    private func visit(_ exchange: Exchange, _ visitor: PageVisitor) -> Visit {
        Visit(
            path: exchange.path, query: exchange.query, shopName: setting.shopName, home: setting.home,
            visitor: visitor)
    }

    /// A page for whoever is signed in; others are sent to sign in first. What is posted was sent by one of our own forms.
    private func page(
        _ method: Method, _ path: String, _ operationID: String, _ summary: String,
        _ make: @escaping @Sendable (Visit, ShopAPI) async throws -> AppRoutes.Outcome
    ) -> Endpoint {
        .exchange(method, path, operationID, summary) { _, exchange in
            let visitor = try await recognise(exchange)
            let visit = visit(exchange, visitor)
            guard let person = visitor.person else {
                let query = exchange.query.fields.isEmpty ? "" : "?" + exchange.query.encoded
                let then = method == .get ? exchange.path + query : "/developers/apps"
                return .seeOther("/sign-in?then=" + PercentEncoding.encode(then))
            }
            guard method == .get || visitor.form != nil else {
                return StalePage.page.response(visit, cookies: visitor.cookies)
            }
            switch try await make(visit, ShopAPI(ask: ask, principal: person.principal)) {
            case .page(let page): return page.response(visit, cookies: visitor.cookies)
            case .go(let address): return .seeOther(address)
            }
        }
    }
}
