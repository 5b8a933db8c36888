// SPDX-License-Identifier: Apache-2.0

internal import Persistence

enum CatalogMigrations {
    /// All that an answer of the catalogue is made of.
    static let tables = [
        "products", "product_translations", "product_attributes", "product_prices", "variants", "prices", "categories",
        "category_translations", "product_categories", "product_search",
    ]

    static let all = [
        Migration(
            "catalog-0001-products", .expand,
            """
            CREATE TABLE products (
                number INTEGER PRIMARY KEY AUTOINCREMENT,
                id TEXT NOT NULL UNIQUE,
                handle TEXT NOT NULL,
                status TEXT NOT NULL CHECK (status IN ('draft', 'active', 'archived')),
                title TEXT NOT NULL,
                title_key TEXT NOT NULL,
                description TEXT,
                in_stock INTEGER NOT NULL DEFAULT 0,
                units_sold INTEGER NOT NULL DEFAULT 0,
                created_at INTEGER NOT NULL,
                updated_at INTEGER NOT NULL,
                deleted_at INTEGER,
                version INTEGER NOT NULL
            ) STRICT;
            CREATE UNIQUE INDEX products_by_handle ON products (handle) WHERE deleted_at IS NULL;
            CREATE INDEX products_by_newest ON products (status, number) WHERE deleted_at IS NULL;
            CREATE INDEX products_by_title ON products (status, title_key, number) WHERE deleted_at IS NULL;
            CREATE INDEX products_by_sales ON products (status, ((units_sold << 34) + number)) WHERE deleted_at IS NULL;

            CREATE TABLE product_translations (
                product_number INTEGER NOT NULL REFERENCES products (number),
                language TEXT NOT NULL,
                title TEXT NOT NULL,
                description TEXT,
                PRIMARY KEY (product_number, language)
            ) STRICT, WITHOUT ROWID;

            CREATE TABLE product_attributes (
                product_number INTEGER NOT NULL REFERENCES products (number),
                name TEXT NOT NULL,
                value TEXT NOT NULL,
                PRIMARY KEY (product_number, name)
            ) STRICT, WITHOUT ROWID;
            CREATE INDEX product_attributes_by_value ON product_attributes (name, value, product_number);

            CREATE TABLE product_prices (
                product_number INTEGER NOT NULL REFERENCES products (number),
                currency TEXT NOT NULL,
                lowest INTEGER NOT NULL,
                PRIMARY KEY (product_number, currency)
            ) STRICT, WITHOUT ROWID;
            CREATE INDEX product_prices_by_amount ON product_prices (currency, lowest, product_number);

            CREATE TABLE variants (
                number INTEGER PRIMARY KEY AUTOINCREMENT,
                id TEXT NOT NULL UNIQUE,
                product_number INTEGER NOT NULL REFERENCES products (number),
                position INTEGER NOT NULL,
                sku TEXT NOT NULL,
                title TEXT,
                options TEXT NOT NULL,
                barcode TEXT,
                weight_grams INTEGER CHECK (weight_grams >= 0),
                tracks_inventory INTEGER NOT NULL,
                in_stock INTEGER NOT NULL,
                deleted_at INTEGER,
                version INTEGER NOT NULL
            ) STRICT;
            CREATE UNIQUE INDEX variants_by_sku ON variants (sku) WHERE deleted_at IS NULL;
            CREATE INDEX variants_by_product ON variants (product_number, position) WHERE deleted_at IS NULL;

            CREATE TABLE prices (
                variant_number INTEGER NOT NULL REFERENCES variants (number),
                currency TEXT NOT NULL,
                amount INTEGER NOT NULL CHECK (amount >= 0),
                PRIMARY KEY (variant_number, currency)
            ) STRICT, WITHOUT ROWID;

            CREATE TABLE categories (
                id TEXT PRIMARY KEY,
                parent TEXT REFERENCES categories (id),
                handle TEXT NOT NULL,
                title TEXT NOT NULL,
                position INTEGER NOT NULL,
                path TEXT NOT NULL,
                deleted_at INTEGER,
                version INTEGER NOT NULL
            ) STRICT;
            CREATE UNIQUE INDEX categories_by_path ON categories (path) WHERE deleted_at IS NULL;
            CREATE UNIQUE INDEX categories_by_handle ON categories (handle) WHERE deleted_at IS NULL;
            CREATE INDEX categories_by_parent ON categories (parent) WHERE deleted_at IS NULL;

            CREATE TABLE category_translations (
                category TEXT NOT NULL REFERENCES categories (id),
                language TEXT NOT NULL,
                title TEXT NOT NULL,
                PRIMARY KEY (category, language)
            ) STRICT, WITHOUT ROWID;

            CREATE TABLE product_categories (
                product_number INTEGER NOT NULL REFERENCES products (number),
                category TEXT NOT NULL REFERENCES categories (id),
                PRIMARY KEY (product_number, category)
            ) STRICT, WITHOUT ROWID;
            CREATE INDEX product_categories_by_category ON product_categories (category, product_number);

            CREATE TABLE search_words (word TEXT PRIMARY KEY) STRICT, WITHOUT ROWID;
            CREATE TABLE search_deletions (
                deletion TEXT NOT NULL,
                word TEXT NOT NULL,
                PRIMARY KEY (deletion, word)
            ) STRICT, WITHOUT ROWID;
            """,
            sqlite: """
                CREATE VIRTUAL TABLE product_search USING fts5 (
                    title, body, tokenize = ascii, detail = column, prefix = '1 2 3'
                );
                """,
            postgres: """
                CREATE TABLE product_search (
                    product_number bigint PRIMARY KEY REFERENCES products (number),
                    title tsvector NOT NULL,
                    words tsvector NOT NULL
                );
                CREATE INDEX product_search_by_title ON product_search USING gin (title);
                CREATE INDEX product_search_by_word ON product_search USING gin (words);
                """),
        // Words of up to three letters, too; SQLite has an index of such beginnings.
        Migration(
            "catalog-0002-short-words", .expand, "",
            postgres: """
                INSERT INTO search_words (word)
                SELECT word FROM ts_stat('SELECT words FROM product_search') WHERE length(word) <= 3
                ON CONFLICT DO NOTHING;
                """),
        // Availability is heard of by a consumer of its own, from where both had come to.
        Migration(
            "catalog-0003-availability", .expand,
            """
            INSERT INTO event_cursors (consumer, sequence)
            SELECT 'catalog.availability', sequence FROM event_cursors WHERE consumer = 'catalog.facts';
            """),
    ]
}
