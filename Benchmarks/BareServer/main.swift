// SPDX-License-Identifier: Apache-2.0

import Foundation
import Hummingbird
import Logging

// Answers each GET with the bytes of a file, read once: the least that a Hummingbird route can do.
let arguments = CommandLine.arguments
guard arguments.count == 3, let port = Int(arguments[1]), let data = FileManager.default.contents(atPath: arguments[2])
else {
    FileHandle.standardError.write(Data("usage: BareServer PORT FILE\n".utf8))
    exit(2)
}
let buffer = ByteBuffer(bytes: data)
let router = Router()
router.get("/bytes") { _, _ in
    Response(status: .ok, headers: [.contentType: "application/json"], body: .init(byteBuffer: buffer))
}
var logger = Logger(label: "bare")
logger.logLevel = .error
try await Application(router: router, configuration: .init(address: .hostname("127.0.0.1", port: port)), logger: logger)
    .runService()
