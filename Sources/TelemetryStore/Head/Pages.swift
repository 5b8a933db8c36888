// SPDX-License-Identifier: Apache-2.0

/// An array whose copies share what neither has changed, page by page.
///
/// A copy is made in the time of a few thousandths of an array's, so that who reads takes one under a lock for which others wait;
/// who writes later copies only the pages that they write to.
struct Pages<Element>: RandomAccessCollection {
    private static var shift: Int { 8 }
    private static var mask: Int { 1 << shift - 1 }

    private var pages: [[Element]] = []
    private(set) var count = 0

    var startIndex: Int { 0 }
    var endIndex: Int { count }

    subscript(place: Int) -> Element {
        _read { yield pages[place >> Self.shift][place & Self.mask] }
        _modify { yield &pages[place >> Self.shift][place & Self.mask] }
    }

    mutating func append(_ element: Element) {
        if count & Self.mask == 0 {
            pages.append([])
            pages[pages.count - 1].reserveCapacity(1 << Self.shift)
        }
        pages[pages.count - 1].append(element)
        count += 1
    }
}

extension Pages: Sendable where Element: Sendable {}
