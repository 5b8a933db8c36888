// SPDX-License-Identifier: Apache-2.0

import Foundation
import Kernel
import TestSupport
import Testing

@testable import Vitrine

/// A retailer's real year of trade. The log is no part of the project; its tests skip where it is absent.
@Suite(.serialized) struct OnlineRetailTests {
    static var log: String? {
        let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent()
        let standard = root.appending(path: "../shared/data/online-retail/online-retail.csv.zst").standardized.path
        let path = ProcessInfo.processInfo.environment["VITRINE_ONLINE_RETAIL"] ?? standard
        return FileManager.default.fileExists(atPath: path) ? path : nil
    }

    /// Small inputs in the shape of the log, one of each of its oddities.
    private static let sample = """
        InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice,CustomerID,Country
        536365,85123A,"WHITE ""HEART"", LARGE",6,2010-12-01 08:26:00,2.55,17850.0,United Kingdom
        536365,85123A,WHITE HEART,2,2010-12-01 08:26:00,2.55,17850.0,United Kingdom
        536365,85123a,white heart small,1,2010-12-01 08:26:00,0,17850.0,United Kingdom
        536366,PADS,PADS,1,2010-12-01 08:28:00,0.001,,EIRE
        536366,POST,POSTAGE,3,2010-12-01 08:28:00,18.0,,EIRE
        C536367,22423,CAKESTAND,-1,2010-12-01 09:00:00,12.75,12583.0,France
        536368,22423,damaged?,-80995,2010-12-01 09:01:00,0.0,,United Kingdom
        A563186,B,Adjust bad debt,1,2011-08-12 14:51:00,-11062.06,,United Kingdom
        """

    @Test func `the log's oddities are told apart and its sums are exact`() throws {
        let log = try RetailLog(bytes: Array(Self.sample.utf8))
        #expect(log.documents.map(\.number) == ["536365", "536366", "C536367", "536368", "A563186"])
        #expect(log.documents.map { "\($0.kind)" } == ["sale", "sale", "creditNote", "writeOff", "badDebt"])
        #expect(log.documents[0].lines[0].description == "WHITE \"HEART\", LARGE")
        #expect(log.sales.decimal == "-10987.659" && log.credits.decimal == "-12.75")
        let articles = RetailArticles(log).all
        #expect(
            articles.map(\.handle) == [
                "stock-85123a", "stock-85123a-2", "stock-pads", "stock-post", "stock-22423", "stock-b",
            ])
        #expect(articles.first { $0.code == "22423" }?.unitsLeaving == 80_995)
    }

    @Test(arguments: [
        "", "a,b\n1,2",
        "InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice,CustomerID,Country\n1,2,3,x,2010-12-01 08:26:00,1,,UK",
    ])
    func `a file that is no such log is refused with the line`(text: String) {
        #expect(throws: Failure.self) { try RetailLog(bytes: Array(text.utf8)) }
    }

    @Test func `a replay of the oddities balances, and a second changes nothing`() async throws {
        let directory = try TestDirectory()
        defer { directory.remove() }
        let file = directory.path + "/log.csv"
        try Self.sample.write(toFile: file, atomically: true, encoding: .utf8)
        let data = directory.path + "/data"
        #expect(try await VitrineProcess.run(["import", "online-retail", file, "--data", data]).status == 0)
        for round in 0..<2 {
            let replay = try await VitrineProcess.run(["replay", file, "--speed", "100000000x", "--data", data])
            #expect(replay.status == 0, "\(replay.output)")
            #expect(replay.output.contains("-11000.409  equals the file"))
            #expect(
                replay.output.contains(round == 0 ? "placed 5, there already 0" : "placed 0, there already 5"),
                "\(replay.output)")
        }
        let check = try await VitrineProcess.run(["check", "--data", data])
        #expect(check.status == 0, "\(check.output)")
    }

    @Test(.enabled(if: log != nil, "the Online Retail log is not here; VITRINE_ONLINE_RETAIL names it"))
    func `a year of trade balances to the last digit, also after a kill in the middle, and again`() async throws {
        let file = try #require(Self.log)
        let directory = try TestDirectory()
        defer { directory.remove() }
        let data = directory.path + "/data"
        #expect(try await VitrineProcess.run(["import", "online-retail", file, "--data", data]).status == 0)
        let killed = try VitrineProcess(["replay", file, "--as-fast-as-possible", "--data", data])
        try await killed.wait(for: " 30 % ", within: .seconds(900))
        killed.kill()
        _ = try await killed.exitStatus()
        for round in 0..<2 {
            let replay = try await VitrineProcess.run(
                ["replay", file, "--as-fast-as-possible", "--data", data], within: .seconds(1_800))
            #expect(replay.status == 0, "\(replay.output.suffix(500))")
            for sum in ["sales   10644560.424  equals", "credit  -896812.49  equals", "net     9747747.934  equals"] {
                #expect(replay.output.contains(sum), "\(replay.output.suffix(500))")
            }
            if round == 1 { #expect(replay.output.contains("placed 0, there already 25,900")) }
        }
        let check = try await VitrineProcess.run(["check", "--data", data])
        #expect(check.status == 0, "\(check.output)")
    }
}
