// SPDX-License-Identifier: Apache-2.0

internal import HTTPTypes
internal import Hummingbird
internal import Kernel
internal import NIOCore
internal import Synchronization
internal import Web

/// The observatory's public APIs, asked with the token of whoever looks at a page: what they may not read they do not see.
struct ObservatoryClient: Sendable {
    let answer: @Sendable (Request) async throws -> Response
    let gate: Gate
    /// What the visitor came with.
    var authorization: String?
    var authority: String?
    /// What he has signed in with.
    var token: String?

    /// What everybody may ask who may ask anything.
    private static let access = "/api/v1/status/buildinfo"

    /// - Throws: ``ClientError/notAllowed`` where the visitor may see nothing.
    func check() async throws { _ = try await get(Self.access) }

    /// - Throws: ``ClientError``.
    func get(_ path: String, _ parameters: [(String, String)] = []) async throws -> JSON {
        let query = parameters.map { "\($0.0)=\(PercentEncoding.encode($0.1))" }.joined(separator: "&")
        var head = HTTPRequest(
            method: .get, scheme: "http", authority: authority, path: query.isEmpty ? path : "\(path)?\(query)")
        head.headerFields[.authorization] = authorization ?? token.map { "Bearer \($0)" }
        let request = Request(head: head, body: .init(buffer: ByteBuffer()))
        // What is no query waits for none.
        let response =
            path == Self.access
            ? try await answer(request) : try await gate.through { try await answer(request) }
        let body = CollectedBody()
        try await response.body.write(body.writer)
        let bytes = body.bytes
        switch response.status.code {
        case 200..<300: break
        case 401, 403: throw ClientError.notAllowed
        case 404: throw ClientError.notFound
        default: throw ClientError.refused(Self.words(of: bytes))
        }
        do {
            return try JSON.parse(bytes, depthMax: 64)
        } catch {
            throw ClientError.refused("The answer cannot be read: \(error).")
        }
    }

    /// What an API says is wrong, in whichever dialect.
    private static func words(of bytes: [UInt8]) -> String {
        let text = String(decoding: bytes, as: UTF8.self)
        guard let json = try? JSON.parse(bytes) else { return text }
        return json["error"]?.string ?? json["error"]?["message"]?.string
            ?? json["errors"]?.array?.first?["msg"]?.string ?? text
    }
}

/// Why a page cannot show what it should.
enum ClientError: Error {
    case notAllowed
    case notFound
    /// What was asked is wrong, or too much; in the words of who was asked.
    case refused(String)
}

extension Error {
    /// For the visitor.
    var words: String {
        switch self as? ClientError {
        case .notAllowed: "This token may not read telemetry."
        case .notFound: "There is none."
        case .refused(let words): words
        case nil: self is CancellationError ? "It took too long." : "\(self)"
        }
    }
}
