// SPDX-License-Identifier: Apache-2.0

internal import Kernel

/// Where parts go whose time is over, instead of nowhere: a folder for each day and store, which can be read as a store of its own.
package struct Archive: Sendable {
    private let folder: @Sendable (_ name: String) throws -> any Disk

    /// Stands in each folder, so that nothing is removed there for being old.
    static let mark = "archived"
    private static let pieceBytes = 1 << 20
    /// Folders of one day and store that are tried, where what lies there has another part of the name.
    private static let foldersMax = 100

    /// `folder` is one of many beside each other, such as `2026-11-27-4f0c22d91ab3e877`.
    package init(folder: @escaping @Sendable (_ name: String) throws -> any Disk) { self.folder = folder }

    /// Durable once it returns. A copy, because an archive is often another file system.
    ///
    /// - Parameters:
    ///   - part: what is over.
    ///   - disk: where it lies.
    ///   - store: the identity of the store, so that another one, or the same begun anew, has other folders.
    /// - Returns: where it is.
    /// - Throws: `Failure`.
    func keep(_ part: Part, from disk: any Disk, of store: String) throws -> any Disk {
        let day = "\(Timestamp(milliseconds: part.footer.times.upperBound))".prefix(10)
        for number in 1...Self.foldersMax {
            let place = try folder("\(day)-\(store)" + (number == 1 ? "" : "-\(number)"))
            let names = try place.names()
            guard names.contains(part.name) else {
                if !names.contains(Self.mark) { try place.create(Self.mark).sync() }
                try copy(part, from: disk, to: place)
                return place
            }
            // An attempt before may have come as far as this. Somebody who opened the folder may have made a part of that name.
            let known = try? Part(part.name, of: place)
            guard known.map({ Part.bytes(of: $0.footer) }) == Part.bytes(of: part.footer) else { continue }
            try place.syncNames()
            return place
        }
        throw Failure(.misconfigured, "The archive has \(Self.foldersMax) other parts of the name \(part.name).")
    }

    private func copy(_ part: Part, from disk: any Disk, to place: any Disk) throws {
        let (source, temporary) = (try disk.open(part.name), part.name + ".tmp")
        let file = try place.create(temporary)
        for offset in stride(from: 0, to: source.size, by: Self.pieceBytes) {
            try file.append(source.read(at: offset, count: min(Self.pieceBytes, source.size - offset)))
        }
        try file.sync()
        try place.rename(temporary, to: part.name)
        try place.syncNames()
    }
}

extension SignalStore {
    private static let identityFile = "identity"

    /// What tells this store from others, for as long as its folder is there; made where there is none yet.
    func identity() throws -> String {
        if try disk.names().contains(Self.identityFile) {
            let file = try disk.open(Self.identityFile)
            let text = String(decoding: try file.read(at: 0, count: file.size), as: UTF8.self)
            if !text.isEmpty { return text }
        }
        let bits = String(UInt64.random(in: .min ... .max), radix: 16)
        let text = String(repeating: "0", count: 16 - bits.count) + bits
        let file = try disk.create(Self.identityFile)
        try file.append(Array(text.utf8))
        try file.sync()
        try disk.syncNames()
        return text
    }
}
