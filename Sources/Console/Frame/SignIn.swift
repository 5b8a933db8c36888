// SPDX-License-Identifier: Apache-2.0

internal import HTTPTypes
internal import Hummingbird
internal import Web

/// The token of a visitor in a cookie that no script can read and no other site can have sent.
enum SignIn {
    private static let name = "vitrine_console"
    /// Seconds: a day on call.
    private static let maxAge = 43_200

    static func token(of request: Request) -> String? {
        request.headers.cookie(name).flatMap { PercentEncoding.decode($0) }
    }

    static func cookie(_ token: String, isSecure: Bool) -> String {
        "\(name)=\(PercentEncoding.encode(token)); Path=/console; HttpOnly; SameSite=Strict; Max-Age=\(token.isEmpty ? 0 : maxAge)"
            + (isSecure ? "; Secure" : "")
    }

    /// Where somebody wanted to go: only ever to a page of ours.
    static func destination(_ text: String?) -> String {
        guard let text, text.hasPrefix("/console/"), !text.contains("\\"), !text.contains("//") else {
            return "/console/overview"
        }
        return text
    }

    static func page(then: String, isWrong: Bool, version: String) -> HTML {
        """
        \(Frame.head("Sign in", version))
        <body><main id="main" class="signin"><h1><span aria-hidden="true">◫</span> Vitrine</h1>
        <form method="post" action="/console/login"><input type="hidden" name="then" value="\(then)">
        <label><span>Token</span><input name="token" type="password" autocomplete="current-password" required autofocus></label>
        \(isWrong ? "<p class=\"notice\" role=\"alert\">This token may not read telemetry.</p>" : "" as HTML)
        <button>Sign in</button></form>
        <p class="about">An API key of the shop with <code>read:telemetry</code>, or the operator’s token
        (<code>VITRINE_OBSERVATORY_TOKEN</code>), which also works while the shop is down.</p></main></body></html>
        """
    }
}
