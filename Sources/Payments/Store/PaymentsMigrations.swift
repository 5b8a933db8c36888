// SPDX-License-Identifier: Apache-2.0

internal import Persistence

enum PaymentsMigrations {
    static let all = [
        Migration(
            "payments-0001-payments", .expand,
            """
            CREATE TABLE payments (
                id TEXT PRIMARY KEY,
                order_id TEXT NOT NULL,
                provider TEXT NOT NULL,
                method_kind TEXT NOT NULL,
                method TEXT NOT NULL,
                amount INTEGER NOT NULL CHECK (amount >= 0),
                currency TEXT NOT NULL,
                capture TEXT NOT NULL,
                status TEXT NOT NULL,
                provider_reference TEXT,
                decline_reason TEXT,
                action_url TEXT,
                refunded INTEGER NOT NULL DEFAULT 0,
                created_at INTEGER NOT NULL,
                updated_at INTEGER NOT NULL,
                CHECK (refunded >= 0 AND refunded <= amount)
            ) STRICT;
            CREATE INDEX payments_by_order ON payments (order_id, id);
            CREATE INDEX payments_intended ON payments (status, updated_at)
                WHERE status IN ('capture_pending', 'void_pending');

            CREATE TABLE refunds (
                id TEXT PRIMARY KEY,
                payment TEXT NOT NULL REFERENCES payments (id),
                order_id TEXT NOT NULL,
                amount INTEGER NOT NULL CHECK (amount > 0),
                currency TEXT NOT NULL,
                reason TEXT,
                status TEXT NOT NULL,
                created_at INTEGER NOT NULL
            ) STRICT;
            CREATE INDEX refunds_by_order ON refunds (order_id, id);
            CREATE INDEX refunds_intended ON refunds (id) WHERE status = 'pending';

            CREATE TABLE sandbox_charges (
                key TEXT PRIMARY KEY,
                amount INTEGER NOT NULL,
                currency TEXT NOT NULL,
                state TEXT NOT NULL,
                reason TEXT,
                capture TEXT NOT NULL,
                created_at INTEGER NOT NULL
            ) STRICT;
            CREATE TABLE sandbox_refunds (
                key TEXT PRIMARY KEY,
                charge TEXT NOT NULL,
                amount INTEGER NOT NULL
            ) STRICT;
            CREATE INDEX sandbox_refunds_by_charge ON sandbox_refunds (charge);
            """),
        Migration(
            "payments-0002-providers", .expand,
            """
            ALTER TABLE payments ADD COLUMN action_secret TEXT;
            ALTER TABLE payments ADD COLUMN attempt_until INTEGER;
            ALTER TABLE refunds ADD COLUMN attempt_until INTEGER;
            ALTER TABLE refunds ADD COLUMN attempts INTEGER NOT NULL DEFAULT 0;
            CREATE INDEX payments_by_reference ON payments (provider_reference)
                WHERE provider <> 'sandbox' AND provider_reference IS NOT NULL;
            """,
            // The sandbox plays another system, which would keep its books elsewhere. They hold no money, so they need not
            // outlive a crash of the server.
            postgres: """
                ALTER TABLE sandbox_refunds SET UNLOGGED;
                ALTER TABLE sandbox_charges SET UNLOGGED;
                """),
    ]
}
