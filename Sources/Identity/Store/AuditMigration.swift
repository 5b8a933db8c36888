// SPDX-License-Identifier: Apache-2.0

internal import Persistence

extension IdentityMigrations {
    /// Entries that follow from each other, and may go only where a checkpoint stands in for them.
    static let auditChain = Migration(
        "identity-0004-audit-chain", .expand,
        """
        ALTER TABLE audit_log ADD COLUMN app TEXT;
        ALTER TABLE audit_log ADD COLUMN user_id TEXT;
        ALTER TABLE audit_log ADD COLUMN address TEXT;
        ALTER TABLE audit_log ADD COLUMN trace TEXT;
        ALTER TABLE audit_log ADD COLUMN hash BLOB;
        CREATE INDEX audit_log_by_app ON audit_log (app, sequence);
        CREATE INDEX audit_log_by_user ON audit_log (user_id, sequence);
        CREATE INDEX audit_log_by_action ON audit_log (action, sequence);
        CREATE TABLE audit_checkpoints (
            sequence INTEGER PRIMARY KEY,
            hash BLOB NOT NULL
        ) STRICT;
        """,
        sqlite: """
            DROP TRIGGER audit_log_stays;
            CREATE TRIGGER audit_log_stays BEFORE DELETE ON audit_log
            WHEN NOT EXISTS (SELECT 1 FROM audit_checkpoints WHERE sequence >= OLD.sequence)
            BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END;
            """,
        postgres: """
            CREATE FUNCTION refuse_audit_deletion() RETURNS trigger LANGUAGE plpgsql AS
            $$ BEGIN
                IF EXISTS (SELECT 1 FROM audit_checkpoints WHERE sequence >= OLD.sequence) THEN RETURN OLD; END IF;
                RAISE EXCEPTION 'the audit log is append-only' USING ERRCODE = 'check_violation';
            END $$;
            DROP TRIGGER audit_log_stays ON audit_log;
            CREATE TRIGGER audit_log_stays BEFORE DELETE ON audit_log
            FOR EACH ROW EXECUTE FUNCTION refuse_audit_deletion();
            """)
}
