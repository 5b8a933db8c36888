// SPDX-License-Identifier: Apache-2.0

internal import Web

/// Setting up an app that makes codes.
enum SecondFactorPages {
    static func offer(text: String, address: String, closed: String, isWrong: Bool, formToken: String) -> WebPage {
        let notice: HTML =
            isWrong ? "<p class=\"notice wrong\" role=\"alert\">That is not the code that the app shows now.</p>" : ""
        return WebPage(
            title: "A second factor",
            body: """
                <section class="card"><h1>A second factor</h1>\(notice)
                <p>Show this to an authenticator app, or <a href="\(address)">open one on this device</a>, or write down the key.</p>
                \(QRCode(address)?.html("The key, for the camera of an authenticator app") ?? "")
                <p class="key">\(grouped(text))</p>
                <form method="post" action="/account/second-factor"><input type="hidden" name="form_token" value="\(formToken)">
                <input type="hidden" name="offer" value="\(closed)">
                <label><span>The six digits that it shows</span><input class="code" name="code" required autofocus
                inputmode="numeric" autocomplete="one-time-code" maxlength="10"></label>
                <button class="whole">Switch it on</button></form></section>
                <p class="quiet"><a href="/account">Not now</a></p>
                """)
    }

    static func recovery(_ codes: [String]) -> WebPage {
        WebPage(
            title: "Codes for paper",
            body: """
                <section class="card"><h1>The second factor is on</h1>
                <p>Write these down, or print them. Each lets you in once where the app is lost. They are shown only now.</p>
                <ul class="codes">\(codes.map { "<li>\($0)</li>" as HTML })</ul>
                <p class="quiet"><a href="/account">I have them</a></p></section>
                """)
    }

    /// In fours, as people read.
    private static func grouped(_ text: String) -> String {
        stride(from: 0, to: text.count, by: 4).map { String(text.dropFirst($0).prefix(4)) }.joined(separator: " ")
    }
}
