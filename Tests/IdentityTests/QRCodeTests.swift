// SPDX-License-Identifier: Apache-2.0

import Foundation
import Kernel
import TestSupport
import Testing

@testable import Identity

struct QRCodeTests {
    @Test(.enabled("make test brings qrcode") { Python.isInstalled })
    func `codes are those that others make, module by module`() async throws {
        let directory = try TestDirectory()
        defer { directory.remove() }
        var lines = ""
        for length in [1, 16, 17, 18, 100, 134, 135, 230, 231, 400, 500, 700, 858] {
            let text = String("otpauth://totp/Bücherei:ada@example.com?".prefix(length - 1)).padding(
                toLength: max(1, length - 1), withPad: "a1B2", startingAt: 0)
            for mask in 0..<8 {
                let code = try #require(QRCode(text, mask: mask))
                let rows = (0..<code.size).map { y in
                    JSON.string((0..<code.size).map { code[$0, y] ? "1" : "0" }.joined())
                }
                let line: JSON = ["text": .string(text), "mask": .integer(Int64(mask)), "rows": .array(rows)]
                lines += line.text + "\n"
            }
        }
        try lines.write(toFile: directory.path + "/codes", atomically: true, encoding: .utf8)
        let run = try await Python.run("qr.py", [directory.path + "/codes"])
        #expect(run.status == 0, "\(run.output) \(run.errors)")
        #expect(run.output.contains("104 codes are the same"))
    }

    @Test func `what is too long has no code, and the mask is chosen`() throws {
        #expect(QRCode(String(repeating: "a", count: 858)) != nil)
        #expect(QRCode(String(repeating: "a", count: 859)) == nil)
        let text = "otpauth://totp/Vitrine:ada@example.com?secret=JBSWY3DPEHPK3PXP&issuer=Vitrine"
        let (chosen, all) = (QRCode(text), (0..<8).map { QRCode(text, mask: $0) })
        let code = try #require(chosen)
        let places = (0..<code.size * code.size).map { ($0 % code.size, $0 / code.size) }
        #expect(all.count { other in places.allSatisfy { other?[$0.0, $0.1] == code[$0.0, $0.1] } } == 1)
    }
}
