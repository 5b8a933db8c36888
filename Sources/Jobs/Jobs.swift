// SPDX-License-Identifier: Apache-2.0

package import Kernel
internal import Logging
package import Persistence
package import ServiceLifecycle

/// The front door: the outbox to write to, and the services that work it off.
package struct JobsModule: Sendable {
    package let outbox: Outbox
    /// Letters to people; `nil` where nobody sends them.
    package let mails: Mails?
    package let supervision = Supervision()
    private let database: Database
    private let clock: WallClock

    package init(database: Database, clock: WallClock, sendMail: SendMail? = nil) {
        self.database = database
        self.clock = clock
        outbox = Outbox(clock: clock)
        mails = sendMail.map { Mails(database: database, clock: clock, send: $0) }
    }

    package static let migrations = Outbox.migrations

    /// The chores of this room itself.
    package var schedules: [Schedule] {
        let (database, outbox) = (database, outbox)
        let purge = Schedule("outbox.purge", every: .seconds(3_600)) {
            try await database.write { try outbox.purge(olderThan: .seconds(30 * 86_400), in: $0) }
        }
        return [purge]
            + (mails.map { mails in [Schedule("mail.send", every: .seconds(1)) { try await mails.work() }] } ?? [])
    }

    /// The relay that hands events to `subscriptions`, in order and at least once.
    package func relay(_ subscriptions: [Subscription]) -> Relay {
        Relay(
            database: database, subscriptions: subscriptions, supervision: supervision,
            logger: Logger(label: "vitrine.jobs.relay"))
    }

    /// The chores of every slice, each at its time.
    package func runner(_ schedules: [Schedule]) -> some Service {
        ScheduleRunner(schedules: schedules, supervision: supervision)
    }
}
