// SPDX-License-Identifier: Apache-2.0

internal import Kernel
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

    private func importProducts(_ call: Call, _ bytes: [UInt8]) async throws -> Answer<ImportReport> {
        let importing = ImportProducts(products: products)
        var results: [ImportResult] = []
        let parts = ImportProducts.parts(of: bytes)
        var ahead = Self.lines(parts.first ?? [])
        for number in parts.indices {
            // The following part is read while this one is written.
            let lines = ahead
            async let following = Self.lines(number + 1 < parts.count ? parts[number + 1] : [])
            let part: ImportPart
            do {
                part = try await call.commit(part: number) { transaction in
                    ImportPart(results: try importing.takeAll(lines, by: call.actor, in: transaction))
                }
            } catch is ImportProducts.Refused {
                part = try await call.commit(part: number) { transaction in
                    ImportPart(results: try importing.takeOneByOne(lines, by: call.actor, in: transaction))
                }
            }
            results += part.results
            ahead = await following
        }
        let failed = results.count { $0.status >= 400 }
        let report = ImportReport(imported: results.count - failed, failed: failed, results: results)
        return try await call.commit(afterParts: .multiStatus(report))
    }

    private static func lines(_ part: [(number: Int, bytes: ArraySlice<UInt8>)]) -> [ImportProducts.Line] {
        part.map { line in ImportProducts.Line(number: line.number, draft: Result { try draft(line.bytes) }) }
    }

    private static func draft(_ line: ArraySlice<UInt8>) throws -> ProductDraft {
        let json: JSON
        do {
            json = try JSON.parse(line)
        } catch {
            throw Problem(.malformedRequest, "\(error.reason) at byte \(error.offset) of the line.")
        }
        var decoding = Decoding()
        guard let input = ProductInput.schema.decode(json, &decoding) else {
            throw Problem(.invalidBody, decoding.summary)
        }
        return input.draft
    }
}

extension ImportResult {
    fileprivate init(_ fate: ImportProducts.Fate) {
        switch fate.outcome {
        case .created(let id): self.init(line: fate.line, status: 201, id: id, code: nil, detail: nil)
        case .replaced(let id): self.init(line: fate.line, status: 200, id: id, code: nil, detail: nil)
        case .refused(let error):
            let problem = (error as? CatalogError)?.bodyProblem ?? Problem(describing: error)
            self.init(
                line: fate.line, status: problem.type.status, id: nil, code: problem.type.code, detail: problem.detail)
        }
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

/// What the lines of one transaction came to.
struct ImportPart: WireBody {
    let results: [ImportResult]

    init(results: [ImportResult]) { self.results = results }

    init(results: [ImportProducts.Fate]) { self.init(results: results.map(ImportResult.init)) }

    static let schema = Schema.object(
        "ImportPart", ImportPart.init, .required("results", \.results, .array(of: ImportResult.schema, countMax: 1_000))
    )
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
