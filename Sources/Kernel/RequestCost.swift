// SPDX-License-Identifier: Apache-2.0

internal import Synchronization

/// What a request has cost so far. It travels with the task; whoever spends something adds it.
package final class RequestCost: Sendable {
    /// The cost of the present task's request; `nil` in chores.
    @TaskLocal package static var current: RequestCost?

    private let statementCount = Atomic(0)

    package init() {}

    /// SQL statements, without the control of transactions.
    package var statements: Int { statementCount.load(ordering: .relaxed) }

    package func add(statements: Int) { statementCount.add(statements, ordering: .relaxed) }
}
