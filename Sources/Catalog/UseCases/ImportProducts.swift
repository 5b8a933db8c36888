// SPDX-License-Identifier: Apache-2.0

internal import Kernel
internal import Persistence

/// Creates or replaces many products, one a line. Each line stands for itself: a bad one is reported under its number, the
/// others are kept.
struct ImportProducts: Sendable {
    let products: EditProduct

    struct Line: Sendable {
        let number: Int
        let draft: Result<ProductDraft, any Error>
    }

    /// What became of a line.
    struct Fate: Sendable {
        enum Outcome: Sendable {
            case created(ProductID)
            case replaced(ProductID)
            case refused(any Error)
        }

        let line: Int
        let outcome: Outcome
    }

    /// Lines in one transaction: enough to share a commit, few enough to let others in between.
    private static let chunk = 500

    /// The lines that hold something, in parts of one transaction each, counted from 1 with empty lines.
    static func parts(of bytes: [UInt8]) -> [[(number: Int, bytes: ArraySlice<UInt8>)]] {
        let lines = bytes.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false).enumerated()
            .map { (number: $0.offset + 1, bytes: $0.element) }
            .filter { !$0.bytes.allSatisfy { $0 == 0x20 || $0 == 0x0D || $0 == 0x09 } }
        return stride(from: 0, to: lines.count, by: chunk).map { start in
            Array(lines[start..<min(start + chunk, lines.count)])
        }
    }

    /// A line can be read and was refused all the same; it may have left traces.
    struct Refused: Error {}

    /// Takes lines of which none is expected to be refused, which saves a savepoint for each.
    ///
    /// - Throws: ``Refused`` where one is; then nothing may be kept.
    func takeAll(_ lines: [Line], by actor: String, in transaction: Transaction) throws -> [Fate] {
        let known = KnownRows()
        let handles = lines.compactMap { try? $0.draft.get().handle }
        let taken = try ProductStore.taken(handles, in: transaction)
        return try take(lines) { draft in
            do {
                guard taken.contains(draft.handle) else {
                    return (try products.create(draft, by: actor, knowing: known, in: transaction), true)
                }
                return try products.upsert(draft, by: actor, in: transaction)
            } catch let error as DatabaseError where error.isUnavailability {
                throw error
            } catch {
                throw Refused()
            }
        }
    }

    /// Takes lines of which some may be refused.
    func takeOneByOne(_ lines: [Line], by actor: String, in transaction: Transaction) throws -> [Fate] {
        try take(lines) { draft in
            try transaction.nested { try products.upsert(draft, by: actor, in: transaction) }
        }
    }

    private func take(
        _ lines: [Line], _ upsert: (ProductDraft) throws -> (product: Product, isNew: Bool)
    ) throws -> [Fate] {
        try lines.map { line in
            do {
                let (product, isNew) = try upsert(line.draft.get())
                return Fate(line: line.number, outcome: isNew ? .created(product.id) : .replaced(product.id))
            } catch let error as DatabaseError where error.isUnavailability {
                throw error
            } catch let error as Refused {
                throw error
            } catch {
                return Fate(line: line.number, outcome: .refused(error))
            }
        }
    }
}
