// SPDX-License-Identifier: Apache-2.0

internal import Web

/// Setting up an app that makes codes.
struct SecondFactorPage: PageValues {
    let template = "second-factor"
    /// The key in fours, as people read.
    let key: String
    /// What opens an authenticator app, and a camera reads in the picture.
    let address: String
    /// Markup.
    let picture: String?
    let offer: String
    let trouble: String?
    let formToken: String

    init(text: String, address: String, offer: String, isWrong: Bool, formToken: String) {
        key = stride(from: 0, to: text.count, by: 4).map { String(text.dropFirst($0).prefix(4)) }
            .joined(separator: " ")
        (self.address, self.offer, self.formToken) = (address, offer, formToken)
        picture = QRCode(address)?.html("The key, for the camera of an authenticator app").text
        trouble = isWrong ? "That is not the code that the app shows now." : nil
    }
}

struct RecoveryCodesPage: PageValues {
    let template = "recovery-codes"
    let codes: [String]
}
