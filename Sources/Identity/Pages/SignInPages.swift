// SPDX-License-Identifier: Apache-2.0

internal import Web

// Pages on the way in. Each form carries a token that only its own browser could have been given.

struct SignInPage: PageValues {
    let template = "sign-in"
    /// Who has sent them here.
    let app: String?
    let then: String
    let email: String?
    let trouble: String?
    /// Whether they have just signed up.
    let isNew: Bool
    /// Where they may; `nil` where not.
    let signUp: String?
    let formToken: String

    init(app: String?, then: String, email: String, _ trouble: Trouble?, isSignUpOpen: Bool, formToken: String) {
        (self.app, self.then, self.email) = (app, then, email.isEmpty ? nil : email)
        self.trouble = trouble?.text(wrong: "The mail address or the password is wrong.")
        isNew = trouble == .new
        signUp =
            isSignUpOpen && then.hasPrefix("/developers")
            ? SignUpPage.path + "?then=" + PercentEncoding.encode(then) : nil
        self.formToken = formToken
    }

    enum Trouble: Equatable {
        /// None: somebody has just signed up.
        case new
        case wrong
        case wait(seconds: Int64)

        fileprivate func text(wrong: String) -> String? {
            switch self {
            case .new: nil
            case .wrong: wrong
            case .wait(let seconds): "Too many attempts. Try again in \(seconds) s."
            }
        }
    }
}

/// The second factor.
struct CodePage: PageValues {
    let template = "sign-in-code"
    let then: String
    let email: String
    let ticket: String
    let trouble: String?
    let formToken: String

    init(then: String, email: String, ticket: String, _ trouble: SignInPage.Trouble?, formToken: String) {
        (self.then, self.email, self.ticket, self.formToken) = (then, email, ticket, formToken)
        self.trouble = trouble?.text(wrong: "The code is wrong, or was used before.")
    }
}

/// Something to be told.
struct MessagePage: PageValues {
    let template = "message"
    let heading: String
    let notice: String?
    let trouble: String?

    init(_ heading: String, _ text: String, isWrong: Bool = false) {
        (self.heading, notice, trouble) = (heading, isWrong ? nil : text, isWrong ? text : nil)
    }
}

extension WebPage {
    static func message(_ heading: String, _ text: String, isWrong: Bool = false) -> WebPage {
        WebPage(MessagePage(heading, text, isWrong: isWrong))
    }
}
