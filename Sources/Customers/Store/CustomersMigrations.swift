// SPDX-License-Identifier: Apache-2.0

internal import Persistence

enum CustomersMigrations {
    static let all = [
        Migration(
            "customers-0001-customers", .expand,
            """
            CREATE TABLE customers (
                id TEXT PRIMARY KEY,
                external_id TEXT,
                email TEXT,
                name TEXT,
                phone TEXT,
                language TEXT,
                country TEXT,
                metadata TEXT NOT NULL,
                created_at INTEGER NOT NULL,
                updated_at INTEGER NOT NULL,
                erased_at INTEGER,
                version INTEGER NOT NULL
            ) STRICT;
            CREATE UNIQUE INDEX customers_by_email ON customers (lower(email)) WHERE email IS NOT NULL;
            CREATE UNIQUE INDEX customers_by_external_id ON customers (external_id) WHERE external_id IS NOT NULL;

            CREATE TABLE customer_addresses (
                id TEXT PRIMARY KEY,
                customer TEXT NOT NULL REFERENCES customers (id),
                name TEXT NOT NULL,
                street TEXT NOT NULL,
                extra TEXT,
                city TEXT NOT NULL,
                region TEXT,
                postcode TEXT,
                country TEXT NOT NULL,
                phone TEXT,
                is_default INTEGER NOT NULL,
                version INTEGER NOT NULL
            ) STRICT;
            CREATE INDEX customer_addresses_by_customer ON customer_addresses (customer, id);
            CREATE UNIQUE INDEX customer_addresses_default ON customer_addresses (customer) WHERE is_default = 1;
            """)
    ]
}
