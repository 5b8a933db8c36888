// SPDX-License-Identifier: Apache-2.0

package import Kernel

/// A place in the tree by which people browse.
package struct Category: Sendable {
    package let id: CategoryID
    package var parent: CategoryID?
    package var handle: String
    package var title: String
    /// Titles in other languages, by tag.
    package var translations: [String: String]
    /// Its place among its siblings, lowest first.
    package var position: Int
    /// The identifiers from the root down to itself, each behind a slash; a subtree is what begins with it.
    package internal(set) var path: String
    package internal(set) var version: Int64

    package init(
        id: CategoryID, parent: CategoryID?, handle: String, title: String, translations: [String: String] = [:],
        position: Int = 0
    ) {
        self.id = id
        self.parent = parent
        self.handle = handle
        self.title = title
        self.translations = translations
        self.position = position
        path = ""
        version = 1
    }

    /// The first path behind those of a subtree, in the order of text: `0` follows the slash.
    static func end(ofSubtree path: String) -> String { path.dropLast() + "0" }
}
