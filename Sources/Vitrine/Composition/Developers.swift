// SPDX-License-Identifier: Apache-2.0

internal import Hummingbird
internal import Identity
internal import Kernel
internal import Portal
internal import Web

extension Shop {
    /// The developers' pages, which ask the API of this process through `responder`. A sandbox has none: its apps are those of its
    /// shop.
    func portalEndpoints(asking responder: some HTTPResponder<APIContext>) -> [Endpoint] {
        guard !configuration.isSandbox else { return [] }
        let authority = configuration.baseURL.split(separator: "/", omittingEmptySubsequences: true).last ?? ""
        let api = InProcessAPI(responder, authority: String(authority))
        return PortalModule(
            shopName: configuration.identity.shopName, recognise: identity.recogniseVisitor
        ) { method, path, body, fields in
            let reply = try await api.ask(method, path, body: body.map { Array($0.text.utf8) }, fields: fields)
            let json = reply.body.isEmpty ? JSON.null : try JSON.parse(reply.body)
            return ShopAPI.Reply(status: reply.status, entityTag: reply.entityTag, json: json)
        }.endpoints
    }
}
