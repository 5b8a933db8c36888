// SPDX-License-Identifier: Apache-2.0

internal import Kernel
package import Web

struct CustomerPath: WireBody {
    let id: CustomerID
    static let schema = Schema.object("CustomerPath", CustomerPath.init, .required("id", \.id, .id()))
}

struct AddressPath: WireBody {
    let id: CustomerID
    let address: AddressID
    static let schema = Schema.object(
        "AddressPath", AddressPath.init, .required("id", \.id, .id()), .required("address_id", \.address, .id()))
}

struct CustomerQuery: WireBody {
    let email: String?
    let externalID: String?
    static let schema = Schema.object(
        "CustomerQuery", CustomerQuery.init,
        .optional("email", \.email, .string(1...254), "Whatever the case of its letters."),
        .optional("external_id", \.externalID, .string(1...200)))
}

struct CustomerInput: WireBody {
    let externalID: String?
    let email: String?
    let name: String?
    let phone: String?
    let language: String?
    let country: String?
    let metadata: JSON

    static let schema = Schema.object(
        "CustomerInput", CustomerInput.init,
        .optional("external_id", \.externalID, .string(1...200), "The number by which your system knows the customer."),
        .optional("email", \.email, .email, "Unique, whatever the case of its letters."),
        .optional("name", \.name, .string(1...200)), .optional("phone", \.phone, .string(3...40)),
        .optional("language", \.language, .language), .optional("country", \.country, .country),
        .standard("metadata", \.metadata, .metadata, .object([]), "Your own; given back as it is."))
}

struct CustomerPatch: WireBody {
    let externalID: Patch<String>
    let email: Patch<String>
    let name: Patch<String>
    let phone: Patch<String>
    let language: Patch<String>
    let country: Patch<String>
    let metadata: Patch<JSON>

    static let schema = Schema.object(
        "CustomerPatch", CustomerPatch.init,
        .patch("external_id", \.externalID, .string(1...200), removable: true),
        .patch("email", \.email, .email, removable: true), .patch("name", \.name, .string(1...200), removable: true),
        .patch("phone", \.phone, .string(3...40), removable: true),
        .patch("language", \.language, .language, removable: true),
        .patch("country", \.country, .country, removable: true), .patch("metadata", \.metadata, .metadata))

    func apply(to customer: inout Customer) {
        customer.externalID = externalID.applied(to: customer.externalID)
        customer.email = email.applied(to: customer.email)
        customer.name = name.applied(to: customer.name)
        customer.phone = phone.applied(to: customer.phone)
        customer.language = language.applied(to: customer.language)
        customer.country = country.applied(to: customer.country)
        customer.metadata = metadata.applied(to: customer.metadata)
    }
}

package struct CustomerBody: WireBody {
    let id: CustomerID
    let externalID: String?
    let email: String?
    let name: String?
    let phone: String?
    let language: String?
    let country: String?
    let metadata: JSON
    let createdAt: Timestamp
    let updatedAt: Timestamp
    let erasedAt: Timestamp?

    package static let schema = Schema.object(
        "Customer", CustomerBody.init,
        .required("id", \.id, .id()), .optional("external_id", \.externalID, .string()),
        .optional("email", \.email, .string()), .optional("name", \.name, .string()),
        .optional("phone", \.phone, .string()), .optional("language", \.language, .string()),
        .optional("country", \.country, .string()), .required("metadata", \.metadata, .metadata),
        .required("created_at", \.createdAt, .timestamp), .required("updated_at", \.updatedAt, .timestamp),
        .optional("erased_at", \.erasedAt, .timestamp))
}

extension CustomerBody {
    package init(_ customer: Customer) {
        self.init(
            id: customer.id, externalID: customer.externalID, email: customer.email, name: customer.name,
            phone: customer.phone, language: customer.language, country: customer.country, metadata: customer.metadata,
            createdAt: customer.createdAt, updatedAt: customer.updatedAt, erasedAt: customer.erasedAt)
    }
}

extension Customer {
    /// Without what the shop keeps to itself.
    package func shown(to reach: Reach) -> Customer {
        guard reach.customer != nil else { return self }
        var copy = self
        (copy.externalID, copy.metadata) = (nil, [:])
        return copy
    }
}

extension Schema where Value == PostalAddress {
    /// An address, the same in requests and answers, with the field names that Zalando #173 and others share.
    package static let address = object(
        "Address", PostalAddress.init,
        .required("name", \.name, .string(1...200)), .required("street", \.street, .string(1...300)),
        .optional("extra", \.extra, .string(1...300)), .required("city", \.city, .string(1...200)),
        .optional("region", \.region, .string(1...200)), .optional("postcode", \.postcode, .string(1...20)),
        .required("country", \.country, .country), .optional("phone", \.phone, .string(3...40)))
}

struct AddressInput: WireBody {
    let address: PostalAddress
    let isDefault: Bool

    static let schema = Schema.object(
        "AddressInput", AddressInput.init,
        .required("address", \.address, .address),
        .standard("default", \.isDefault, .boolean, false, "Whether orders go there where nothing else is said."))
}

package struct AddressBody: WireBody {
    let id: AddressID
    let address: PostalAddress
    let isDefault: Bool

    package static let schema = Schema.object(
        "SavedAddress", AddressBody.init,
        .required("id", \.id, .id()), .required("address", \.address, .address),
        .required("default", \.isDefault, .boolean))
}

extension AddressBody {
    init(_ saved: SavedAddress) {
        self.init(id: saved.id, address: saved.address, isDefault: saved.isDefault)
    }
}
