// SPDX-License-Identifier: Apache-2.0

internal import Kernel
internal import Persistence

/// Creates or replaces many products, one a line. Each line stands for itself: a bad one is reported under its number, the
/// others are kept.
struct ImportProducts: Sendable {
    let database: Database
    let products: EditProduct
    /// Reads a line.
    let decode: @Sendable (ArraySlice<UInt8>) throws -> ProductDraft

    /// What became of a line, counted from 1 with empty lines.
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

    func run(_ bytes: [UInt8], by actor: String) async throws -> [Fate] {
        let lines = bytes.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false).enumerated()
            .filter { !$0.element.allSatisfy { $0 == 0x20 || $0 == 0x0D || $0 == 0x09 } }
        var fates: [Fate] = []
        fates.reserveCapacity(lines.count)
        for start in stride(from: 0, to: lines.count, by: Self.chunk) {
            let chunk = lines[start..<min(start + Self.chunk, lines.count)]
            let part = try await database.write { transaction in
                try chunk.map { line in
                    Fate(line: line.offset + 1, outcome: try outcome(of: line.element, by: actor, in: transaction))
                }
            }
            fates.append(contentsOf: part)
        }
        return fates
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
