// SPDX-License-Identifier: Apache-2.0

package import Kernel
internal import Synchronization

/// Dates as HTTP headers carry them (RFC 9110 section 5.6.7): `Sun, 06 Nov 1994 08:49:37 GMT`.
package enum HTTPDate {
    private static let days = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"]
    private static let months = [
        "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
    ]

    private static let latest = Mutex((second: Int64.min, text: ""))

    /// The date of a moment, made once for all answers in its second.
    static func text(of time: Timestamp) -> String {
        let second = time.milliseconds / 1_000
        return latest.withLock { latest in
            if latest.second != second { latest = (second, format(time)) }
            return latest.text
        }
    }

    package static func format(_ time: Timestamp) -> String {
        // `2026-11-22T15:30:00.000Z`, which the calendar has settled already.
        let text = Array(time.rfc3339.utf8)
        func number(_ range: Range<Int>) -> String { String(decoding: text[range], as: UTF8.self) }
        let day = time.milliseconds / 86_400_000
        let month = months[(Int(number(5..<7)) ?? 1) - 1]
        return "\(days[Int(day % 7)]), \(number(8..<10)) \(month) \(number(0..<4)) \(number(11..<19)) GMT"
    }
}
