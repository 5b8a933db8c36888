// SPDX-License-Identifier: Apache-2.0

internal import Kernel
internal import Persistence

enum CustomerStore {
    private static let columns: SQL = """
        id, external_id, email, name, phone, language, country, metadata, created_at, updated_at, erased_at, version
        """

    static func find(_ id: CustomerID, in connection: Connection) throws -> Customer? {
        try connection.first("SELECT \(columns) FROM customers WHERE id = \(id)", customer)
    }

    /// The same for whoever is about to change it.
    static func claim(_ id: CustomerID, in transaction: Transaction) throws -> Customer? {
        try transaction.first(
            "SELECT \(columns) FROM customers WHERE id = \(id)\(transaction.forUpdate)", customer)
    }

    static func find(externalID: String, in connection: Connection) throws -> Customer? {
        try connection.first("SELECT \(columns) FROM customers WHERE external_id = \(externalID)", customer)
    }

    static func page(
        email: String?, externalID: String?, _ request: PageRequest, in connection: Connection
    ) throws -> Page<Customer> {
        var conditions: SQL = "1 = 1"
        if let email { conditions += " AND lower(email) = lower(\(email))" }
        if let externalID { conditions += " AND external_id = \(externalID)" }
        let keyset = Keyset((expression: "id", order: .descending))
        let rows = try connection.all(
            "SELECT \(columns) FROM customers WHERE \(conditions) \(keyset.clause(request))", customer)
        return Page(rows: rows, for: request) { [.text($0.id.rawValue)] }
    }

    static func insert(_ customer: Customer, in transaction: Transaction) throws {
        try explainingConflicts(customer, in: transaction) {
            _ = try transaction.execute(
                """
                INSERT INTO customers (\(columns))
                VALUES (\(customer.id), \(customer.externalID), \(customer.email), \(customer.name), \(customer.phone),
                    \(customer.language), \(customer.country), \(customer.metadata), \(customer.createdAt),
                    \(customer.updatedAt), \(customer.erasedAt), \(customer.version))
                """)
        }
    }

    static func update(_ customer: Customer, in transaction: Transaction) throws {
        try explainingConflicts(customer, in: transaction) {
            _ = try transaction.execute(
                """
                UPDATE customers SET external_id = \(customer.externalID), email = \(customer.email),
                    name = \(customer.name), phone = \(customer.phone), language = \(customer.language),
                    country = \(customer.country), metadata = \(customer.metadata), updated_at = \(customer.updatedAt),
                    erased_at = \(customer.erasedAt), version = \(customer.version)
                WHERE id = \(customer.id)
                """)
        }
    }

    private static func explainingConflicts(
        _ customer: Customer, in transaction: Transaction, _ body: () throws -> Void
    ) throws {
        do {
            // Nested, because what follows a refusal asks further.
            try transaction.nested(body)
        } catch let error as DatabaseError where error.kind == .unique {
            if let externalID = customer.externalID,
                let other = try find(externalID: externalID, in: transaction), other.id != customer.id
            {
                throw CustomersError.externalIDTaken(externalID)
            }
            throw CustomersError.emailTaken
        }
    }

    private static func customer(_ row: inout Row) throws -> Customer {
        let id: CustomerID = try row.next()
        let draft = try CustomerDraft(
            externalID: row.next(), email: row.next(), name: row.next(), phone: row.next(), language: row.next(),
            country: row.next(), metadata: row.next())
        var customer = Customer(id: id, draft: draft, at: try row.next())
        customer.updatedAt = try row.next()
        customer.erasedAt = try row.next()
        customer.version = try row.next()
        return customer
    }

    // MARK: Addresses

    private static let addressColumns: SQL = """
        id, customer, name, street, extra, city, region, postcode, country, phone, is_default, version
        """

    static func addresses(
        of customer: CustomerID, _ request: PageRequest, in connection: Connection
    ) throws -> Page<SavedAddress> {
        let keyset = Keyset((expression: "id", order: .ascending))
        let rows = try connection.all(
            """
            SELECT \(addressColumns) FROM customer_addresses WHERE customer = \(customer) \(keyset.clause(request))
            """, address)
        return Page(rows: rows, for: request) { [.text($0.id.rawValue)] }
    }

    static func address(
        _ id: AddressID, of customer: CustomerID, in connection: Connection
    ) throws -> SavedAddress? {
        try connection.first(
            "SELECT \(addressColumns) FROM customer_addresses WHERE id = \(id) AND customer = \(customer)\(connection.forUpdate)",
            address)
    }

    /// Writes an address; a new default takes the place of the old one.
    static func save(_ saved: SavedAddress, in transaction: Transaction) throws {
        if saved.isDefault {
            try transaction.execute(
                "UPDATE customer_addresses SET is_default = 0 WHERE customer = \(saved.customer) AND is_default = 1")
        }
        let address = saved.address
        try transaction.execute(
            """
            INSERT INTO customer_addresses (\(addressColumns))
            VALUES (\(saved.id), \(saved.customer), \(address.name), \(address.street), \(address.extra),
                \(address.city), \(address.region), \(address.postcode), \(address.country), \(address.phone),
                \(saved.isDefault), \(saved.version))
            ON CONFLICT (id) DO UPDATE SET name = excluded.name, street = excluded.street, extra = excluded.extra,
                city = excluded.city, region = excluded.region, postcode = excluded.postcode,
                country = excluded.country, phone = excluded.phone, is_default = excluded.is_default,
                version = excluded.version
            """)
    }

    static func delete(_ id: AddressID, of customer: CustomerID, in transaction: Transaction) throws -> Bool {
        try transaction.execute("DELETE FROM customer_addresses WHERE id = \(id) AND customer = \(customer)") == 1
    }

    static func deleteAddresses(of customer: CustomerID, in transaction: Transaction) throws {
        try transaction.execute("DELETE FROM customer_addresses WHERE customer = \(customer)")
    }

    private static func address(_ row: inout Row) throws -> SavedAddress {
        try SavedAddress(
            id: row.next(), customer: row.next(),
            address: PostalAddress(
                name: row.next(), street: row.next(), extra: row.next(), city: row.next(), region: row.next(),
                postcode: row.next(), country: row.next(), phone: row.next()),
            isDefault: row.next(), version: row.next())
    }
}
