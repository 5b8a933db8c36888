// SPDX-License-Identifier: Apache-2.0

internal import Kernel

/// Where parts go whose time is over, instead of nowhere: a folder for each day, which can be read as a store of its own. It
/// belongs to one store.
package struct Archive: Sendable {
    private let folder: @Sendable (_ day: String) throws -> any Disk

    private static let pieceBytes = 1 << 20

    /// `folder` is that of a day, such as `2026-11-27`.
    package init(folder: @escaping @Sendable (_ day: String) throws -> any Disk) { self.folder = folder }

    /// Durable once it returns. A copy, because an archive is often another file system.
    ///
    /// - Throws: `Failure`, also where the archive has another part of that name.
    func keep(_ part: Part, from disk: any Disk) throws {
        let day = try folder("\(Timestamp(milliseconds: part.footer.times.upperBound))".prefix(10).description)
        let (source, temporary) = (try disk.open(part.name), part.name + ".tmp")
        if try day.names().contains(part.name) {
            guard try day.open(part.name).size == source.size else {
                throw Failure(
                    .misconfigured,
                    "The archive has another \(part.name) already. Two stores cannot have one archive.")
            }
            // An attempt before may have come as far as this.
            return try day.syncNames()
        }
        let file = try day.create(temporary)
        for offset in stride(from: 0, to: source.size, by: Self.pieceBytes) {
            try file.append(source.read(at: offset, count: min(Self.pieceBytes, source.size - offset)))
        }
        try file.sync()
        try day.rename(temporary, to: part.name)
        try day.syncNames()
    }
}
