// SPDX-License-Identifier: Apache-2.0

/// The few things that the store asks of a folder. Tests put a disk in its place that fails and forgets.
package protocol Disk: Sendable {
    /// Names of its files, in no order.
    func names() throws -> [String]
    /// A file to read from, even once it has been removed.
    func open(_ name: String) throws -> any DiskReader
    /// A new, empty file; one of that name is emptied.
    func create(_ name: String) throws -> any DiskFile
    /// Durable after ``syncNames()``, like ``create(_:)`` and ``remove(_:)``.
    func rename(_ name: String, to other: String) throws
    func remove(_ name: String) throws
    func syncNames() throws
}

/// A file that is read.
package protocol DiskReader: Sendable {
    var size: Int { get }
    func read(at offset: Int, count: Int) throws -> [UInt8]
}

/// A file that is written from its beginning to its end.
package protocol DiskFile: AnyObject, Sendable {
    func append(_ bytes: [UInt8]) throws
    /// Returns when what was written, and the file's size, outlive the machine.
    func sync() throws
}
