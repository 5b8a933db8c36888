// SPDX-License-Identifier: Apache-2.0

internal import Web

/// A page for people, with what browsers are told to forbid.
struct WebPage: Sendable {
    let values: any PageValues
    /// Where forms may lead beside this shop: browsers hold redirections after a form to this, too.
    var formTargets: [String] = []

    init(_ values: any PageValues, formTargets: [String] = []) {
        (self.values, self.formTargets) = (values, formTargets)
    }

    /// The answer, as it looks in this shop.
    func response(_ status: Int = 200, in settings: IdentitySettings, cookies: [String] = []) -> WireResponse {
        .page(
            settings.pages.document(values, shop: settings.shopName), status: status,
            policy: "style-src 'self'; img-src data:; form-action "
                + (["'self'"] + formTargets).joined(separator: " "), cookies: cookies)
    }
}
