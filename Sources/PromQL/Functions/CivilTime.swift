// SPDX-License-Identifier: Apache-2.0

/// A moment by the calendar, in UTC.
struct CivilTime {
    let year: Int
    let month: Int
    let day: Int
    let hour: Int
    let minute: Int
    /// 0 is Sunday.
    let dayOfWeek: Int
    let dayOfYear: Int

    /// - Parameter seconds: Since 1970, of which fractions are left out; `nil` beyond what a calendar holds.
    init?(_ seconds: Double) {
        guard seconds.isFinite, seconds.magnitude < 1e14 else { return nil }
        let whole = Int(seconds)
        let days = Self.floor(whole, 86_400)
        let inDay = whole - days * 86_400
        (hour, minute) = (inDay / 3_600, inDay / 60 % 60)
        dayOfWeek = (days % 7 + 7 + 4) % 7
        // From 1 March of the year 0 on, leap days come last in their year (H. Hinnant, chrono-compatible date algorithms).
        let shifted = days + 719_468
        let era = Self.floor(shifted, 146_097)
        let inEra = shifted - era * 146_097
        let yearOfEra = (inEra - inEra / 1_460 + inEra / 36_524 - inEra / 146_096) / 365
        let inYear = inEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let monthFromMarch = (5 * inYear + 2) / 153
        day = inYear - (153 * monthFromMarch + 2) / 5 + 1
        month = monthFromMarch < 10 ? monthFromMarch + 3 : monthFromMarch - 9
        year = yearOfEra + era * 400 + (month <= 2 ? 1 : 0)
        let isLeap = Self.isLeap(year)
        dayOfYear = Self.daysBefore[month - 1] + (isLeap && month > 2 ? 1 : 0) + day
        daysInMonth = month == 2 ? (isLeap ? 29 : 28) : [4, 6, 9, 11].contains(month) ? 30 : 31
    }

    let daysInMonth: Int

    private static let daysBefore = [0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334]

    private static func isLeap(_ year: Int) -> Bool { year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) }

    private static func floor(_ value: Int, _ by: Int) -> Int { (value >= 0 ? value : value - by + 1) / by }
}
