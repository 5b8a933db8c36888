// SPDX-License-Identifier: Apache-2.0

/// One value of the keys by which a list is sorted.
package enum KeyValue: Hashable, Sendable {
    case integer(Int64)
    case real(Double)
    case text(String)
}

/// Where in a sorted list a page begins: the sort keys of the element beside it, the last of them unique.
package struct PagePosition: Hashable, Sendable {
    package enum Direction: String, Sendable { case forward, backward }

    package let keys: [KeyValue]
    package let direction: Direction

    package init(keys: [KeyValue], direction: Direction) {
        self.keys = keys
        self.direction = direction
    }
}

/// Which page of a list is wanted.
package struct PageRequest: Sendable {
    /// At most this many elements; 1 or more.
    package let limit: Int
    /// `nil` for the first page.
    package let position: PagePosition?

    package init(limit: Int, position: PagePosition? = nil) {
        precondition(limit >= 1, "A page holds at least one element.")
        self.limit = limit
        self.position = position
    }
}

/// One page of a list, in the list's order.
package struct Page<Element: Sendable>: Sendable {
    package let elements: [Element]
    /// Where the following page begins; `nil` on the last.
    package let next: PagePosition?
    /// Where the preceding page begins; `nil` on the first.
    package let previous: PagePosition?

    package init(elements: [Element], next: PagePosition?, previous: PagePosition?) {
        self.elements = elements
        self.next = next
        self.previous = previous
    }

    /// Cuts a page from rows that were read in the request's direction with one row more than its limit.
    ///
    /// The extra row tells whether the list goes on, so that no count is needed.
    package init(rows: [Element], for request: PageRequest, keys: (Element) -> [KeyValue]) {
        let backward = request.position?.direction == .backward
        let goesOn = rows.count > request.limit
        let kept = goesOn ? Array(rows.prefix(request.limit)) : rows
        let elements = backward ? Array(kept.reversed()) : kept
        let hasNext = backward ? !elements.isEmpty : goesOn
        let hasPrevious = backward ? goesOn : request.position != nil && !elements.isEmpty
        self.init(
            elements: elements,
            next: hasNext ? elements.last.map { PagePosition(keys: keys($0), direction: .forward) } : nil,
            previous: hasPrevious ? elements.first.map { PagePosition(keys: keys($0), direction: .backward) } : nil)
    }

    package func map<Other: Sendable>(_ transform: (Element) throws -> Other) rethrows -> Page<Other> {
        Page<Other>(elements: try elements.map(transform), next: next, previous: previous)
    }
}
