// SPDX-License-Identifier: Apache-2.0

internal import Synchronization

/// What is learnt of a request while it is worked on: what it costs, and whom and what it is about. It travels with the task;
/// whoever learns something adds it, and spans and log lines tell it.
package final class RequestFacts: Sendable {
    /// Those of the present task's request; `nil` in chores.
    @TaskLocal package static var current: RequestFacts?

    private let statementCount = Atomic(0)
    private let waitedNanoseconds = Atomic(Int64(0))
    private let noted = Mutex<[(name: String, value: String)]>([])

    package init() {}

    /// SQL statements, without the control of transactions.
    package var statements: Int { statementCount.load(ordering: .relaxed) }

    package func add(statements: Int) { statementCount.add(statements, ordering: .relaxed) }

    /// How long it waited for connections and hands, all together.
    package var waited: Duration { .nanoseconds(waitedNanoseconds.load(ordering: .relaxed)) }

    package func add(waited: Int64) { waitedNanoseconds.add(waited, ordering: .relaxed) }

    /// Ids of the app, the user and what the request is about, by their names in traces. They have many values, so that they
    /// stand on spans and log lines and never on metrics.
    package var subjects: [(name: String, value: String)] { noted.withLock { $0 } }

    /// The last value of a name counts.
    package func note(_ name: String, _ value: String) {
        noted.withLock { noted in
            if let place = noted.firstIndex(where: { $0.name == name }) {
                noted[place].value = value
            } else {
                noted.append((name, value))
            }
        }
    }
}
