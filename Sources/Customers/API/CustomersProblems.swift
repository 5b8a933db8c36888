// SPDX-License-Identifier: Apache-2.0

package import Web

extension ProblemType {
    static let customerErased = ProblemType(
        "customer-erased", 409, "The customer's data was erased",
        "Nothing can be added to an erased customer. Create a new one.")
}

extension CustomersError: ProblemConvertible {
    package var problem: Problem {
        switch self {
        case .notFound: Problem(.notFound, "There is no such customer.")
        case .addressNotFound: Problem(.notFound, "The customer has no such address.")
        case .emailTaken: Problem(.conflict, "Another customer has this mail address.")
        case .externalIDTaken(let id): Problem(.externalIDTaken, "Another customer has the external_id \(id).")
        case .erased: Problem(.customerErased, "The customer's data was erased.")
        }
    }
}
