// SPDX-License-Identifier: Apache-2.0

internal import Kernel
internal import Persistence

extension Problem {
    /// What a client is told of any error: its own words where it has them, and nothing of our insides where not.
    package init(describing error: any Error) {
        switch error {
        case let problem as Problem: self = problem
        case let error as any ProblemConvertible: self = error.problem
        case let error as DatabaseError: self = Self.describing(error)
        case let error as Failure: self = Self.describing(error)
        case is CancellationError: self = Problem(.unavailable, "The server is shutting down.").retrying
        case is MoneyError:
            self = Problem(.invalidBody, "A sum of money is larger than can be held. Use smaller quantities or prices.")
        default: self = Problem(.internalError, "The request could not be completed.").with(cause: error)
        }
    }

    private static func describing(_ error: DatabaseError) -> Problem {
        switch error.kind {
        case .unique: Problem(.conflict, "A value that must be unique is taken already.").with(cause: error)
        case .foreignKey:
            Problem(.conflict, "Something it refers to does not exist, or still refers to it.").with(cause: error)
        case .busy, .full, .readOnly, .corrupt, .connection, .conflict, .io, .timedOut:
            Problem(.unavailable, "The database cannot take the request just now.").with(cause: error).retrying
        case .check, .notNull, .statement:
            Problem(.internalError, "The request could not be completed.").with(cause: error)
        }
    }

    private static func describing(_ failure: Failure) -> Problem {
        switch failure.code {
        case .overloaded, .timedOut, .unavailable:
            Problem(.unavailable, "A part of the shop is overloaded or down.").with(cause: failure).retrying
        case .corrupt, .misconfigured:
            Problem(.internalError, "The request could not be completed.").with(cause: failure)
        }
    }

    private var retrying: Problem { with(header: "Retry-After", "1") }
}
