// SPDX-License-Identifier: Apache-2.0

internal import Kernel
internal import Persistence
internal import Web

extension CatalogModule {
    var importEndpoints: [Endpoint] {
        [
            .batch(
                "/v1/products/import", "importProducts", "Create or replace many products, one JSON value a line",
                line: ProductInput.schema.form, bodyBytesMax: 64 << 20, use: importProducts
            ).scope(.writeProducts).cost(100)
        ]
    }

    /// Lines in one transaction: enough to share a commit, few enough to let others in between.
    private static let chunk = 200

    /// Each line stands for itself: a bad one is reported under its number, the others are kept.
    private func importProducts(_ call: Call, _ bytes: [UInt8]) async throws -> Answer<ImportReport> {
        let lines = bytes.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false).enumerated()
            .filter { !$0.element.allSatisfy { $0 == 0x20 || $0 == 0x0D || $0 == 0x09 } }
        var results: [ImportResult] = []
        results.reserveCapacity(lines.count)
        for start in stride(from: 0, to: lines.count, by: Self.chunk) {
            let chunk = lines[start..<min(start + Self.chunk, lines.count)]
            let fates = try await database.write { transaction in
                try chunk.map { try result(ofLine: $0.offset + 1, $0.element, by: call.actor, in: transaction) }
            }
            results.append(contentsOf: fates)
        }
        let failed = results.count { $0.status >= 400 }
        let report = ImportReport(imported: results.count - failed, failed: failed, results: results)
        return try await call.commit { _ in .multiStatus(report) }
    }

    private func result(
        ofLine line: Int, _ bytes: ArraySlice<UInt8>, by actor: String, in transaction: Transaction
    ) throws -> ImportResult {
        do {
            let draft = try Self.draft(bytes)
            let (product, isNew) = try transaction.nested {
                try explaining { try products.upsert(draft, by: actor, in: transaction) }
            }
            return ImportResult(line: line, status: isNew ? 201 : 200, id: product.id, code: nil, detail: nil)
        } catch let error as DatabaseError where error.isUnavailability {
            throw error
        } catch {
            let problem = Problem(describing: error)
            return ImportResult(
                line: line, status: problem.type.status, id: nil, code: problem.type.code, detail: problem.detail)
        }
    }

    private static func draft(_ bytes: ArraySlice<UInt8>) throws -> ProductDraft {
        let json: JSON
        do { json = try JSON.parse(bytes) } catch {
            throw Problem(.malformedRequest, "\(error.reason) at byte \(error.offset) of the line.")
        }
        var decoding = Decoding()
        guard let input = ProductInput.schema.decode(json, &decoding) else {
            throw Problem(.invalidBody, decoding.summary)
        }
        return input.draft
    }
}

/// The fate of one line.
struct ImportResult: WireBody {
    let line: Int
    let status: Int
    let id: ProductID?
    let code: String?
    let detail: String?

    static let schema = Schema.object(
        "ImportResult", ImportResult.init,
        .required("line", \.line, .count, "From 1, empty lines counted."), .required("status", \.status, .count),
        .optional("id", \.id, .id()), .optional("code", \.code, .string()), .optional("detail", \.detail, .string()))
}

struct ImportReport: WireBody {
    let imported: Int
    let failed: Int
    let results: [ImportResult]

    static let schema = Schema.object(
        "ImportReport", ImportReport.init,
        .required("imported", \.imported, .count), .required("failed", \.failed, .count),
        .required("results", \.results, .array(of: ImportResult.schema, countMax: 1_000_000)))
}
