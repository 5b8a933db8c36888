// SPDX-License-Identifier: Apache-2.0

package import Kernel

/// Someone who buys and wants to be known.
package struct Customer: Sendable {
    package let id: CustomerID
    /// The number by which another system knows the customer.
    package var externalID: String?
    package var email: String?
    package var name: String?
    package var phone: String?
    package var language: String?
    package var country: String?
    package var metadata: JSON
    package let createdAt: Timestamp
    package var updatedAt: Timestamp
    package internal(set) var erasedAt: Timestamp?
    package internal(set) var version: Int64

    package init(id: CustomerID, draft: CustomerDraft, at time: Timestamp) {
        self.id = id
        externalID = draft.externalID
        email = draft.email
        name = draft.name
        phone = draft.phone
        language = draft.language
        country = draft.country
        metadata = draft.metadata
        createdAt = time
        updatedAt = time
        version = 1
    }

    mutating func erase(at time: Timestamp) {
        externalID = nil
        email = nil
        name = nil
        phone = nil
        language = nil
        country = nil
        metadata = [:]
        updatedAt = time
        erasedAt = time
        version += 1
    }
}

package struct CustomerDraft: Sendable {
    package var externalID: String?
    package var email: String?
    package var name: String?
    package var phone: String?
    package var language: String?
    package var country: String?
    package var metadata: JSON

    package init(
        externalID: String? = nil, email: String? = nil, name: String? = nil, phone: String? = nil,
        language: String? = nil, country: String? = nil, metadata: JSON = [:]
    ) {
        self.externalID = externalID
        self.email = email
        self.name = name
        self.phone = phone
        self.language = language
        self.country = country
        self.metadata = metadata
    }
}

/// Where a parcel or a bill goes.
package struct PostalAddress: Hashable, Sendable {
    package var name: String
    package var street: String
    package var extra: String?
    package var city: String
    package var region: String?
    package var postcode: String?
    package var country: String
    package var phone: String?

    package init(
        name: String, street: String, extra: String?, city: String, region: String?, postcode: String?,
        country: String, phone: String?
    ) {
        self.name = name
        self.street = street
        self.extra = extra
        self.city = city
        self.region = region
        self.postcode = postcode
        self.country = country
        self.phone = phone
    }
}

/// An address that a customer keeps.
struct SavedAddress: Sendable {
    let id: AddressID
    let customer: CustomerID
    var address: PostalAddress
    var isDefault: Bool
    var version: Int64
}

package enum CustomersError: Error, Equatable {
    case notFound
    case addressNotFound
    case emailTaken
    case externalIDTaken(String)
    /// The person's data was erased; nothing can be added to it.
    case erased
}
