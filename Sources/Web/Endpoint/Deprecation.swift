// SPDX-License-Identifier: Apache-2.0

package import Kernel

/// That an operation is on its way out: since when nobody should build on it (RFC 9745), when it will be gone (RFC 8594), and
/// where it is said what to do instead.
package struct Deprecation: Sendable, Hashable {
    package let since: Timestamp
    /// Never before ``since``.
    package let sunset: Timestamp?
    /// A page for people.
    package let guide: String
    /// The address of what takes its place, where there is something.
    package let successor: String?

    package init(since: Timestamp, sunset: Timestamp? = nil, guide: String, successor: String? = nil) {
        precondition(sunset.map { $0 >= since } ?? true, "Nothing is gone before it is deprecated.")
        self.since = since
        self.sunset = sunset
        self.guide = guide
        self.successor = successor
    }

    var headers: [HeaderField] {
        let date = StructuredItem(.date(since.milliseconds / 1_000))
        guard let text = try? StructuredField.text(date) else { return [] }
        var headers = [HeaderField("Deprecation", text)]
        if let sunset { headers.append(HeaderField("Sunset", HTTPDate.format(sunset))) }
        var links = ["<\(guide)>; rel=\"deprecation\"; type=\"text/html\""]
        if sunset != nil { links.append("<\(guide)>; rel=\"sunset\"; type=\"text/html\"") }
        if let successor { links.append("<\(successor)>; rel=\"successor-version\"") }
        headers.append(HeaderField("Link", links.joined(separator: ", ")))
        return headers
    }
}
