// SPDX-License-Identifier: Apache-2.0

internal import Kernel
internal import Persistence

/// Creates or replaces many products, one a line. Each line stands for itself: a bad one is reported under its number, the
/// others are kept.
struct ImportProducts: Sendable {
    let products: EditProduct
    /// Reads a line.
    let decode: @Sendable (ArraySlice<UInt8>) throws -> ProductDraft

    struct Line: Sendable {
        /// Counted from 1, with empty lines.
        let number: Int
        let bytes: ArraySlice<UInt8>
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
    private static let chunk = 200

    /// The lines that hold something, in parts of one transaction each.
    static func parts(of bytes: [UInt8]) -> [[Line]] {
        let lines = bytes.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false).enumerated()
            .map { Line(number: $0.offset + 1, bytes: $0.element) }
            .filter { !$0.bytes.allSatisfy { $0 == 0x20 || $0 == 0x0D || $0 == 0x09 } }
        return stride(from: 0, to: lines.count, by: chunk).map { start in
            Array(lines[start..<min(start + chunk, lines.count)])
        }
    }

    func take(_ lines: [Line], by actor: String, in transaction: Transaction) throws -> [Fate] {
        try lines.map { Fate(line: $0.number, outcome: try outcome(of: $0.bytes, by: actor, in: transaction)) }
    }

    private func outcome(
        of line: ArraySlice<UInt8>, by actor: String, in transaction: Transaction
    ) throws -> Fate.Outcome {
        do {
            let draft = try decode(line)
            let (product, isNew) = try transaction.nested { try products.upsert(draft, by: actor, in: transaction) }
            return isNew ? .created(product.id) : .replaced(product.id)
        } catch let error as DatabaseError where error.isUnavailability {
            throw error
        } catch {
            return .refused(error)
        }
    }
}
