// SPDX-License-Identifier: Apache-2.0

internal import Persistence

enum OrderingMigrations {
    static let all = [
        Migration(
            "ordering-0001-orders", .expand,
            """
            CREATE TABLE carts (
                id TEXT PRIMARY KEY,
                currency TEXT NOT NULL,
                customer TEXT,
                email TEXT,
                country TEXT,
                state TEXT NOT NULL,
                expires_at INTEGER NOT NULL,
                created_at INTEGER NOT NULL,
                version INTEGER NOT NULL
            ) STRICT;
            CREATE INDEX carts_by_expiry ON carts (expires_at) WHERE state = 'open';
            CREATE TABLE cart_lines (
                id TEXT PRIMARY KEY,
                cart TEXT NOT NULL REFERENCES carts (id),
                variant TEXT NOT NULL,
                quantity INTEGER NOT NULL CHECK (quantity > 0)
            ) STRICT;
            CREATE INDEX cart_lines_by_cart ON cart_lines (cart, id);

            CREATE TABLE orders (
                id TEXT PRIMARY KEY,
                number TEXT NOT NULL UNIQUE,
                external_id TEXT,
                customer TEXT,
                email TEXT,
                currency TEXT NOT NULL,
                state TEXT NOT NULL,
                subtotal INTEGER NOT NULL,
                shipping INTEGER NOT NULL,
                tax INTEGER NOT NULL,
                total INTEGER NOT NULL,
                refunded INTEGER NOT NULL DEFAULT 0,
                shipping_address TEXT,
                billing_address TEXT,
                metadata TEXT NOT NULL,
                payment TEXT,
                cart TEXT,
                cancel_reason TEXT,
                placed_at INTEGER NOT NULL,
                updated_at INTEGER NOT NULL,
                expires_at INTEGER,
                attempt_until INTEGER,
                version INTEGER NOT NULL,
                CHECK (refunded >= 0 AND refunded <= total)
            ) STRICT;
            CREATE UNIQUE INDEX orders_by_external_id ON orders (external_id) WHERE external_id IS NOT NULL;
            CREATE INDEX orders_by_date ON orders (placed_at, id);
            CREATE INDEX orders_by_customer ON orders (customer, placed_at, id) WHERE customer IS NOT NULL;
            CREATE INDEX orders_by_state ON orders (state, placed_at, id);
            CREATE INDEX orders_unsettled ON orders (attempt_until) WHERE state = 'pending';

            CREATE TABLE order_lines (
                id TEXT PRIMARY KEY,
                order_id TEXT NOT NULL REFERENCES orders (id),
                position INTEGER NOT NULL,
                variant TEXT NOT NULL,
                product TEXT NOT NULL,
                sku TEXT NOT NULL,
                title TEXT NOT NULL,
                quantity INTEGER NOT NULL CHECK (quantity > 0),
                unit_price INTEGER NOT NULL CHECK (unit_price >= 0),
                total INTEGER NOT NULL,
                fulfilled INTEGER NOT NULL DEFAULT 0,
                returned INTEGER NOT NULL DEFAULT 0,
                CHECK (0 <= returned AND returned <= fulfilled AND fulfilled <= quantity)
            ) STRICT, WITHOUT ROWID;
            CREATE INDEX order_lines_by_order ON order_lines (order_id, position);

            CREATE TABLE fulfilments (
                id TEXT PRIMARY KEY,
                order_id TEXT NOT NULL REFERENCES orders (id),
                carrier TEXT,
                tracking TEXT,
                lines TEXT NOT NULL,
                created_at INTEGER NOT NULL
            ) STRICT;
            CREATE INDEX fulfilments_by_order ON fulfilments (order_id, id);

            CREATE TABLE returns (
                id TEXT PRIMARY KEY,
                order_id TEXT REFERENCES orders (id),
                customer TEXT,
                external_id TEXT,
                total INTEGER NOT NULL,
                currency TEXT NOT NULL,
                received_at INTEGER NOT NULL,
                created_at INTEGER NOT NULL
            ) STRICT;
            CREATE UNIQUE INDEX returns_by_external_id ON returns (external_id) WHERE external_id IS NOT NULL;
            CREATE INDEX returns_by_order ON returns (order_id, id) WHERE order_id IS NOT NULL;
            CREATE INDEX returns_by_customer ON returns (customer, id) WHERE customer IS NOT NULL;
            CREATE TABLE return_lines (
                return_id TEXT NOT NULL REFERENCES returns (id),
                position INTEGER NOT NULL,
                order_line TEXT,
                variant TEXT NOT NULL,
                sku TEXT NOT NULL,
                quantity INTEGER NOT NULL CHECK (quantity > 0),
                unit_price INTEGER NOT NULL,
                total INTEGER NOT NULL,
                PRIMARY KEY (return_id, position)
            ) STRICT, WITHOUT ROWID;

            CREATE TABLE ledger_entries (
                sequence INTEGER PRIMARY KEY AUTOINCREMENT,
                id TEXT NOT NULL UNIQUE,
                kind TEXT NOT NULL CHECK (kind IN ('sale', 'credit', 'adjustment')),
                amount INTEGER NOT NULL,
                currency TEXT NOT NULL,
                reference TEXT NOT NULL,
                external_id TEXT,
                reason TEXT,
                occurred_at INTEGER NOT NULL,
                booked_at INTEGER NOT NULL,
                CHECK (kind <> 'sale' OR amount >= 0),
                CHECK (kind <> 'credit' OR amount <= 0)
            ) STRICT;
            CREATE INDEX ledger_entries_by_reference ON ledger_entries (reference);
            CREATE INDEX ledger_entries_by_currency ON ledger_entries (currency, kind, amount);
            CREATE UNIQUE INDEX ledger_entries_by_external_id ON ledger_entries (external_id)
                WHERE external_id IS NOT NULL;
            CREATE TRIGGER ledger_entries_keep BEFORE UPDATE ON ledger_entries
            BEGIN SELECT RAISE(ABORT, 'the sales ledger is append-only'); END;
            CREATE TRIGGER ledger_entries_stay BEFORE DELETE ON ledger_entries
            BEGIN SELECT RAISE(ABORT, 'the sales ledger is append-only'); END;
            """)
    ]
}
