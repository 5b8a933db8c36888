// SPDX-License-Identifier: Apache-2.0

internal import CZstd
internal import Foundation
internal import Kernel

/// A retailer's log: every line of every invoice, credit note and correction, as the file has them.
struct RetailLog: Sendable {
    struct Line: Sendable {
        let code: String
        let description: String
        let quantity: Int
        let unitPrice: Money
        let total: Money
    }

    /// The lines that share an invoice number.
    struct Document: Sendable {
        enum Kind: Sendable {
            /// Goods sold.
            case sale
            /// The number begins with C: goods or money given back.
            case creditNote
            /// Negative quantities without being a credit note: stock written off.
            case writeOff
            /// The number begins with A: the correction of a bad debt.
            case badDebt
        }

        let number: String
        let kind: Kind
        let date: Timestamp
        /// The retailer's number of the customer; `nil` where the file has none.
        let customer: String?
        let country: String
        fileprivate(set) var lines: [Line]
    }

    let documents: [Document]
    /// Lines read, without the header.
    let lineCount: Int
    /// The file's own sums: whatever is no credit note, and what is.
    let sales: Money
    let credits: Money

    static let currency = Currency.gbp

    /// Reads a log, plain or compressed with zstd.
    ///
    /// - Throws: `Failure` that names the line and what is wrong with it.
    init(path: String) throws {
        guard let data = FileManager.default.contents(atPath: path) else {
            throw Failure(.misconfigured, "The file \(path) cannot be read. Give the path of the log, plain or .zst.")
        }
        try self.init(bytes: Zstandard.isCompressed(data) ? try Zstandard.decompress(data) : [UInt8](data))
    }

    init(bytes: [UInt8]) throws {
        var rows = CSVRows(bytes: bytes)
        let header = rows.next()
        guard header == Self.columns else {
            throw Failure(
                .misconfigured, "The first line must name the columns \(Self.columns.joined(separator: ",")).")
        }
        var documents: [Document] = []
        var places: [String: Int] = [:]
        var (sales, credits, count) = (Money.zero(Self.currency), Money.zero(Self.currency), 0)
        while let row = rows.next() {
            count += 1
            let (document, line) = try Self.read(row, number: count + 1)
            if document.kind == .creditNote {
                credits = try credits.adding(line.total)
            } else {
                sales = try sales.adding(line.total)
            }
            if let place = places[document.number] {
                documents[place].lines.append(line)
            } else {
                places[document.number] = documents.count
                documents.append(document)
            }
        }
        self.documents = documents
        self.sales = sales
        self.credits = credits
        lineCount = count
    }

    private static let columns = [
        "InvoiceNo", "StockCode", "Description", "Quantity", "InvoiceDate", "UnitPrice", "CustomerID", "Country",
    ]

    private static func read(_ row: [String], number: Int) throws -> (Document, Line) {
        guard row.count == columns.count else {
            throw Failure(.corrupt, "Line \(number) has \(row.count) columns instead of \(columns.count).")
        }
        guard let quantity = Int(row[3]), let date = Timestamp(rfc3339: row[4] + "Z"),
            let price = Money(decimal: row[5], currency)
        else { throw Failure(.corrupt, "Line \(number) has an unreadable quantity, date or price: \(row)") }
        let invoice = row[0]
        let kind: Document.Kind =
            invoice.hasPrefix("C") ? .creditNote : invoice.hasPrefix("A") ? .badDebt : quantity < 0 ? .writeOff : .sale
        let line = Line(
            code: row[1], description: row[2], quantity: quantity, unitPrice: price,
            total: try price.multiplied(by: Int64(quantity)))
        let customer = row[6].isEmpty ? nil : String(row[6].prefix { $0 != "." })
        let document = Document(
            number: invoice, kind: kind, date: date, customer: customer, country: row[7], lines: [line])
        return (document, line)
    }
}

/// Rows of comma-separated values (RFC 4180), with quotes and line ends inside them.
private struct CSVRows {
    let bytes: [UInt8]
    var index = 0

    init(bytes: [UInt8]) { self.bytes = bytes }

    mutating func next() -> [String]? {
        guard index < bytes.count else { return nil }
        var row: [String] = []
        while true {
            row.append(field())
            guard index < bytes.count else { return row }
            let separator = bytes[index]
            index += 1
            if separator == UInt8(ascii: ",") { continue }
            if separator == UInt8(ascii: "\r"), index < bytes.count, bytes[index] == UInt8(ascii: "\n") { index += 1 }
            return row
        }
    }

    private mutating func field() -> String {
        guard index < bytes.count, bytes[index] == UInt8(ascii: "\"") else {
            let start = index
            while index < bytes.count, !Self.endsField(bytes[index]) { index += 1 }
            return String(decoding: bytes[start..<index], as: UTF8.self)
        }
        index += 1
        var text: [UInt8] = []
        while index < bytes.count {
            if bytes[index] == UInt8(ascii: "\"") {
                index += 1
                guard index < bytes.count, bytes[index] == UInt8(ascii: "\"") else { break }
            }
            text.append(bytes[index])
            index += 1
        }
        return String(decoding: text, as: UTF8.self)
    }

    private static func endsField(_ byte: UInt8) -> Bool {
        byte == UInt8(ascii: ",") || byte == UInt8(ascii: "\n") || byte == UInt8(ascii: "\r")
    }
}

/// Files compressed with Zstandard (RFC 8878), by libzstd.
private enum Zstandard {
    static func isCompressed(_ data: Data) -> Bool { data.starts(with: [0x28, 0xB5, 0x2F, 0xFD]) }

    static func decompress(_ data: Data) throws -> [UInt8] {
        guard let stream = ZSTD_createDStream() else { throw Failure(.overloaded, "There is no memory to decompress.") }
        defer { ZSTD_freeDStream(stream) }
        var output: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: ZSTD_DStreamOutSize())
        try data.withUnsafeBytes { source in
            var input = ZSTD_inBuffer(src: source.baseAddress, size: source.count, pos: 0)
            while input.pos < input.size {
                let produced = try chunk.withUnsafeMutableBytes { buffer in
                    var out = ZSTD_outBuffer(dst: buffer.baseAddress, size: buffer.count, pos: 0)
                    let result = ZSTD_decompressStream(stream, &out, &input)
                    guard ZSTD_isError(result) == 0 else {
                        throw Failure(.corrupt, "The file is damaged: \(String(cString: ZSTD_getErrorName(result))).")
                    }
                    return out.pos
                }
                output.append(contentsOf: chunk[..<produced])
            }
        }
        return output
    }
}
