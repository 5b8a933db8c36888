// SPDX-License-Identifier: Apache-2.0

internal import Persistence

enum InventoryMigrations {
    static let all = [
        Migration(
            "inventory-0001-stock", .expand,
            """
            CREATE TABLE locations (
                id TEXT PRIMARY KEY,
                code TEXT NOT NULL UNIQUE,
                name TEXT NOT NULL,
                country TEXT NOT NULL,
                priority INTEGER NOT NULL,
                version INTEGER NOT NULL
            ) STRICT;

            CREATE TABLE stock_items (
                variant TEXT PRIMARY KEY,
                product TEXT NOT NULL,
                sku TEXT NOT NULL,
                tracks_inventory INTEGER NOT NULL
            ) STRICT, WITHOUT ROWID;
            CREATE INDEX stock_items_by_product ON stock_items (product);
            CREATE INDEX stock_items_by_sku ON stock_items (sku);

            CREATE TABLE stock (
                variant TEXT NOT NULL REFERENCES stock_items (variant),
                location TEXT NOT NULL REFERENCES locations (id),
                on_hand INTEGER NOT NULL CHECK (on_hand >= 0),
                reserved INTEGER NOT NULL DEFAULT 0 CHECK (reserved >= 0),
                sold INTEGER NOT NULL DEFAULT 0 CHECK (sold >= 0),
                PRIMARY KEY (variant, location),
                CHECK (reserved + sold <= on_hand)
            ) STRICT, WITHOUT ROWID;
            CREATE INDEX stock_by_location ON stock (location, variant);

            CREATE TABLE stock_movements (
                sequence INTEGER PRIMARY KEY AUTOINCREMENT,
                id TEXT NOT NULL UNIQUE,
                variant TEXT NOT NULL REFERENCES stock_items (variant),
                location TEXT NOT NULL REFERENCES locations (id),
                quantity INTEGER NOT NULL CHECK (quantity <> 0),
                reason TEXT NOT NULL,
                reference TEXT,
                actor TEXT NOT NULL,
                occurred_at INTEGER NOT NULL
            ) STRICT;
            CREATE INDEX stock_movements_by_variant ON stock_movements (variant, sequence);
            CREATE TRIGGER stock_movements_keep BEFORE UPDATE ON stock_movements
            BEGIN SELECT RAISE(ABORT, 'stock movements are append-only'); END;
            CREATE TRIGGER stock_movements_stay BEFORE DELETE ON stock_movements
            BEGIN SELECT RAISE(ABORT, 'stock movements are append-only'); END;

            CREATE TABLE stock_change_numbers (
                external_id TEXT PRIMARY KEY,
                claimed_at INTEGER NOT NULL
            ) STRICT, WITHOUT ROWID;

            CREATE TABLE reservations (
                number INTEGER PRIMARY KEY AUTOINCREMENT,
                owner TEXT NOT NULL,
                variant TEXT NOT NULL REFERENCES stock_items (variant),
                location TEXT NOT NULL REFERENCES locations (id),
                quantity INTEGER NOT NULL CHECK (quantity > 0),
                expires_at INTEGER
            ) STRICT;
            CREATE INDEX reservations_by_owner ON reservations (owner);
            CREATE INDEX reservations_by_expiry ON reservations (expires_at) WHERE expires_at IS NOT NULL;
            """)
    ]
}
