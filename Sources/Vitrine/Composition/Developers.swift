// SPDX-License-Identifier: Apache-2.0

internal import Hummingbird
internal import Identity
internal import Kernel
internal import Portal
internal import Web

extension Shop {
    /// The developers' pages, which ask the API of this process through `responder`. A sandbox has those alone to which its answers
    /// point: its apps are those of its shop.
    func portalEndpoints(asking responder: some HTTPResponder<APIContext>) -> [Endpoint] {
        let authority = configuration.baseURL.split(separator: "/", omittingEmptySubsequences: true).last ?? ""
        let api = InProcessAPI(responder, authority: String(authority))
        let setting = PortalModule.Setting(
            shopName: configuration.identity.shopName, address: configuration.baseURL,
            home: configuration.sandboxOf ?? "", sandbox: configuration.sandboxURL,
            isSignUpOpen: configuration.identity.isSignUpOpen)
        let portal = PortalModule(
            setting, describing: serviceEndpoints.description(of: sliceEndpoints),
            recognise: identity.recogniseVisitor
        ) { method, path, body, fields in
            let reply = try await api.ask(method, path, body: body.map { Array($0.text.utf8) }, fields: fields)
            let json = reply.body.isEmpty ? JSON.null : try JSON.parse(reply.body)
            return ShopAPI.Reply(status: reply.status, entityTag: reply.entityTag, json: json)
        }
        return configuration.isSandbox ? portal.explanations : portal.explanations + portal.guides + portal.apps
    }
}
