// SPDX-License-Identifier: Apache-2.0

internal import Customers
internal import Kernel

/// Addresses as an order keeps them: a copy in JSON, because the customer's own may change.
enum AddressText {
    static func text(_ address: PostalAddress?) -> JSON? {
        guard let address else { return nil }
        let members: [(String, String?)] = [
            ("name", address.name), ("street", address.street), ("extra", address.extra), ("city", address.city),
            ("region", address.region), ("postcode", address.postcode), ("country", address.country),
            ("phone", address.phone),
        ]
        return .object(members.compactMap { name, value in value.map { JSON.Member(name, .string($0)) } })
    }

    static func address(_ json: JSON?) -> PostalAddress? {
        guard let json else { return nil }
        func text(_ name: String) -> String? { json[name]?.string }
        return PostalAddress(
            name: text("name") ?? "", street: text("street") ?? "", extra: text("extra"), city: text("city") ?? "",
            region: text("region"), postcode: text("postcode"), country: text("country") ?? "", phone: text("phone"))
    }
}
