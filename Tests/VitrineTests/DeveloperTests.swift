// SPDX-License-Identifier: Apache-2.0

import Foundation
import TestSupport
import Testing

@testable import Vitrine

/// The developers' pages beside a sandbox, each in a process of its own.
struct DeveloperTests {
    private static let tools = ["/usr/bin/jq", "/usr/bin/curl", "/usr/bin/chromium"]
    private static var hasTools: Bool { tools.allSatisfy { FileManager.default.isExecutableFile(atPath: $0) } }

    @Test(
        .enabled("make test brings playwright") { Python.isInstalled },
        .enabled("this needs jq, curl and chromium") { hasTools })
    func `a stranger signs up, follows the guide as it stands, and tries operations from their pages`() async throws {
        let directory = try TestDirectory()
        defer { directory.remove() }
        let (port, other) = (FreePort.find(), FreePort.find())
        // What every mail server brings along, with a mailbox that is a folder.
        let sendmail = directory.path + "/sendmail"
        try "#!/bin/sh\ncat > \(directory.path)/draft.$$ && mv \(directory.path)/draft.$$ \(directory.path)/letter.$$\n"
            .write(toFile: sendmail, atomically: true, encoding: .utf8)
        try FileManager.default.setAttributes([.posixPermissions: 0o700], ofItemAtPath: sendmail)
        let environment = [
            "VITRINE_PUBLIC_URL": "http://127.0.0.1:\(port)", "VITRINE_SANDBOX_URL": "http://127.0.0.1:\(other)",
            "VITRINE_SENDMAIL": sendmail, "VITRINE_MAIL_FROM": "shop@example.com",
        ]
        let (shop, _, _) = try await VitrineProcess.serve(directory.path, port: port, environment: environment)
        defer { shop.kill() }
        let sandbox = try VitrineProcess(
            ["sandbox", "--data", directory.path, "--port", String(other)], environment: environment)
        defer { sandbox.kill() }
        try await sandbox.wait(for: "The sandbox listens on")
        let run = try await Python.run("portal.py", ["http://127.0.0.1:\(port)", directory.path])
        #expect(run.status == 0, "\(run.output.suffix(3_000)) \(run.errors.suffix(3_000))")
    }
}
