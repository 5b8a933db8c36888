// SPDX-License-Identifier: Apache-2.0

internal import Kernel
internal import Persistence

enum RequestLogStore {
    private static let columns: SQL = "id, app, at, method, route, status, problem, microseconds, trace"

    static func insert(_ entry: RequestLog.Entry, in transaction: Transaction) throws {
        try transaction.execute(
            """
            INSERT INTO app_requests (\(columns))
            VALUES (\(entry.id), \(entry.app), \(entry.at), \(entry.method), \(entry.route), \(entry.status),
                \(entry.problem), \(entry.microseconds), \(entry.trace))
            ON CONFLICT (app, id) DO NOTHING
            """)
    }

    /// The requests of an app that fit, latest first.
    static func page(
        of app: String, _ query: RequestLogQuery, _ request: PageRequest, in connection: Connection
    ) throws -> Page<RequestLog.Entry> {
        let keyset = Keyset((expression: "id", order: .descending))
        let rows = try connection.all(
            "SELECT \(columns) FROM app_requests WHERE app = \(app) \(query.conditions) \(keyset.clause(request))",
            entry)
        return Page(rows: rows, for: request) { [.text($0.id)] }
    }

    /// How many were removed, `limit` at most.
    static func purge(before end: Timestamp, limit: Int, in transaction: Transaction) throws -> Int {
        try transaction.execute(
            """
            DELETE FROM app_requests WHERE (app, id) IN
                (SELECT app, id FROM app_requests WHERE at < \(end) LIMIT \(limit))
            """)
    }

    static func apps(withMoreThan count: Int, in connection: Connection) throws -> [String] {
        try connection.all("SELECT app FROM app_requests GROUP BY app HAVING COUNT(*) > \(count)") {
            try $0.next(String.self)
        }
    }

    /// Removes an app's oldest but for the latest `count`: how many, `limit` at most.
    static func purge(_ app: String, keeping count: Int, limit: Int, in transaction: Transaction) throws -> Int {
        try transaction.execute(
            """
            DELETE FROM app_requests WHERE app = \(app) AND id IN
                (SELECT id FROM app_requests WHERE app = \(app) AND id <=
                    (SELECT id FROM app_requests WHERE app = \(app) ORDER BY id DESC LIMIT 1 OFFSET \(count))
                ORDER BY id LIMIT \(limit))
            """)
    }

    private static func entry(_ row: inout Row) throws -> RequestLog.Entry {
        try RequestLog.Entry(
            id: row.next(), app: row.next(), at: row.next(), method: row.next(), route: row.next(),
            status: row.next(), problem: row.next(), microseconds: row.next(), trace: row.next())
    }

    static let migration = Migration(
        "web-0003-app-requests", .expand,
        """
        CREATE TABLE app_requests (
            id TEXT NOT NULL,
            app TEXT NOT NULL,
            at INTEGER NOT NULL,
            method TEXT NOT NULL,
            route TEXT NOT NULL,
            status INTEGER NOT NULL,
            problem TEXT,
            microseconds INTEGER NOT NULL,
            trace TEXT,
            PRIMARY KEY (app, id)
        ) STRICT;
        CREATE INDEX app_requests_by_time ON app_requests (at);
        """)
}

extension RequestLogQuery {
    fileprivate var conditions: SQL {
        var conditions: SQL = ""
        if let id { conditions += " AND id = \(id)" }
        if let method { conditions += " AND method = \(method)" }
        if let route { conditions += " AND route = \(route)" }
        if let statuses { conditions += " AND status >= \(statuses.lowerBound) AND status <= \(statuses.upperBound)" }
        if let problem { conditions += " AND problem = \(problem)" }
        if let trace { conditions += " AND trace = \(trace)" }
        if let after { conditions += " AND at >= \(after)" }
        if let before { conditions += " AND at < \(before)" }
        return conditions
    }
}
