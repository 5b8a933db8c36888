// SPDX-License-Identifier: Apache-2.0

internal import Foundation
internal import Kernel
internal import NIOSSL

/// How a target is asked: who asks, and over which TLS.
extension ScrapeConfiguration {
    static func authorization(_ section: Section) throws -> ScrapeJob.Authorization? {
        var found: [ScrapeJob.Authorization] = []
        if let basic = try section.section("basic_auth") {
            found.append(
                .basic(user: try basic.text("username") ?? "", password: try secret(basic, "password") ?? .text("")))
            try basic.refuseOthers()
        }
        if let given = try section.section("authorization") {
            let credentials = try secret(given, "credentials") ?? .text("")
            found.append(.credentials(type: try given.text("type") ?? "Bearer", credentials))
            try given.refuseOthers()
        }
        if let token = try secret(section, "bearer_token") { found.append(.credentials(type: "Bearer", token)) }
        if let oauth = try section.section("oauth2") { found.append(.oauth(try client(oauth))) }
        guard found.count < 2 else {
            throw wrong("\(section.place): only one of basic_auth, authorization, bearer_token and oauth2 can be used")
        }
        // A file that is not there is found now, not at the first scrape.
        if case .basic(_, let secret)? = found.first { _ = try secret.value() }
        if case .credentials(_, let secret)? = found.first { _ = try secret.value() }
        return found.first
    }

    /// RFC 6749, section 4.4.
    private static func client(_ section: Section) throws -> OAuthClient {
        guard let id = try section.text("client_id"), !id.isEmpty else {
            throw wrong("\(section.place): client_id is missing")
        }
        guard let secret = try secret(section, "client_secret") else {
            throw wrong("\(section.place): client_secret or client_secret_file is missing")
        }
        _ = try secret.value()
        guard let text = try section.text("token_url"), let url = URL(string: text), url.host() != nil,
            ["http", "https"].contains(url.scheme)
        else { throw wrong("\(section.place): token_url takes an address such as https://example.com/token") }
        let client = OAuthClient(
            id: id, secret: secret, tokenURL: text, scopes: try section.texts("scopes"),
            parameters: try section.section("endpoint_params")?.pairs() ?? [], tls: try tls(section))
        try section.refuseOthers()
        return client
    }

    private static func secret(_ section: Section, _ name: String) throws -> Secret? {
        let (text, file) = (try section.text(name), try section.text(name + "_file"))
        guard text == nil || file == nil else {
            throw wrong("\(section.place): only one of \(name) and \(name)_file can be used")
        }
        return file.map { .file($0) } ?? text.map { .text($0) }
    }

    static func tls(_ section: Section) throws -> TLSConfiguration? {
        guard let section = try section.section("tls_config") else { return nil }
        var tls = TLSConfiguration.forScraping
        if try section.flag("insecure_skip_verify") == true { tls.certificateVerification = .none }
        let (certificate, key) = (try section.text("cert_file"), try section.text("key_file"))
        guard (certificate == nil) == (key == nil) else {
            throw wrong("\(section.place): cert_file and key_file belong together")
        }
        do {
            if let roots = try section.text("ca_file") {
                tls.trustRoots = .certificates(try NIOSSLCertificate.fromPEMFile(roots))
            }
            if let certificate, let key {
                tls.certificateChain = try NIOSSLCertificate.fromPEMFile(certificate).map { .certificate($0) }
                tls.privateKey = .privateKey(try NIOSSLPrivateKey(file: key, format: .pem))
            }
        } catch let failure as Failure { throw failure } catch {
            throw wrong("\(section.place): a certificate or key cannot be read: \(error)")
        }
        try section.refuseOthers()
        return tls
    }
}

extension TLSConfiguration {
    static var forScraping: TLSConfiguration {
        var tls = makeClientConfiguration()
        tls.minimumTLSVersion = .tlsv12
        return tls
    }
}
