// SPDX-License-Identifier: Apache-2.0

internal import Kernel
internal import Web

// What a shop tells of its sandbox, which is another process with data of its own.
extension IdentityModule {
    var sandboxEndpoints: [Endpoint] {
        [
            .get("/v1/sandbox", "getSandbox", "Where the sandbox is, and what opens it", use: getSandbox)
                .scope(.writeApps).uncached(),
            .get(
                "/v1/apps/{id}/test-credentials", "getTestCredentials", "What an app is in the sandbox",
                use: getTestCredentials
            ).scope(.writeApps).forPartners().uncached(),
        ]
    }

    private func getSandbox(_ call: Call, _: NoBody) async throws -> Answer<SandboxBody> {
        .ok(
            SandboxBody(
                url: try sandboxAddress, key: testCredentials.administratorKey, password: testCredentials.password,
                emails: OpenSandbox.people.map(\.email)))
    }

    private func getTestCredentials(_ call: Call, _ path: AppPath) async throws -> Answer<TestCredentialsBody> {
        let url = try sandboxAddress
        let app = try await call.read { try organizations.app(path.id, for: call.partner, atLeast: .developer, in: $0) }
        let secret = app.hasSecret ? testCredentials.secret(of: app.id) : nil
        return .ok(TestCredentialsBody(url: url, clientID: app.id, clientSecret: secret))
    }

    private var sandboxAddress: String {
        get throws {
            guard let address = settings.sandboxAddress else {
                throw Problem(.notFound, "There is no sandbox here. VITRINE_SANDBOX_URL says where one is.")
            }
            return address
        }
    }
}

struct SandboxBody: WireBody {
    let url: String
    let key: String
    let password: String
    let emails: [String]

    static let schema = Schema.object(
        "Sandbox", SandboxBody.init,
        .required("url", \.url, .string(), "In place of this address; everything else is the same."),
        .required("key", \.key, .string(), "An API key with every scope there, and none here."),
        .required("password", \.password, .string(), "With which to sign in there as any of `emails`."),
        .required("emails", \.emails, .array(of: .string()), "One person of each role."))
}

struct TestCredentialsBody: WireBody {
    let url: String
    let clientID: AppID
    let clientSecret: String?

    static let schema = Schema.object(
        "TestCredentials", TestCredentialsBody.init,
        .required("url", \.url, .string(), "The address of the sandbox."),
        .required("client_id", \.clientID, .id(), "The same as here."),
        .optional("client_secret", \.clientSecret, .string(), "Another one than here; none where the app has none."))
}
