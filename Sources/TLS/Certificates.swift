// SPDX-License-Identifier: Apache-2.0

internal import Glibc
internal import Kernel
internal import Logging
package import NIOCore
internal import NIOSSL
internal import Synchronization

/// The certificate that the server shows, from files that may be replaced while it runs: connections after that have the new
/// one, those before go on.
///
/// The files are looked at once a second at most, when somebody connects. Where what lies there cannot be used, for one because
/// only one of the two was replaced yet, the one before stays and a line in the log says why.
package final class Certificates: Sendable {
    private struct Stamp: Equatable {
        let modified: [Int]
        let sizes: [Int]
    }

    private struct State {
        var context: NIOSSLContext
        var stamp: Stamp?
        var lookedAt: ContinuousClock.Instant
    }

    private let certificate: String
    private let key: String
    private let protocols: [String]
    private let state: Mutex<State>
    private let logger = Logger(label: "vitrine.tls")

    private static let lookEvery = Duration.seconds(1)

    /// - Parameters:
    ///   - certificate: the path of the chain, in PEM.
    ///   - key: the path of its key, in PEM.
    ///   - protocols: what is spoken within (RFC 7301), the best first.
    /// - Throws: `Failure` with `misconfigured` where the files do not hold a chain and its key.
    package init(certificate: String, key: String, protocols: [String]) throws {
        (self.certificate, self.key, self.protocols) = (certificate, key, protocols)
        let stamp = Self.stamp(certificate, key)
        do {
            state = Mutex(State(context: try Self.load(certificate, key, protocols), stamp: stamp, lookedAt: .now))
        } catch {
            throw Failure(
                .misconfigured,
                "VITRINE_TLS_CERTIFICATE (\(certificate)) and VITRINE_TLS_KEY (\(key)) are no chain with its key in PEM.",
                cause: error)
        }
    }

    /// Puts TLS before whatever a connection that begins now speaks; who does not agree on it in time is gone. Called on its
    /// event loop. Cost: a look at the files once a second, else a lock.
    package func secure(_ channel: any Channel) throws {
        try channel.pipeline.syncOperations.addHandlers(NIOSSLServerHandler(context: context), HandshakeTimer())
    }

    private var context: NIOSSLContext {
        state.withLock { state in
            guard ContinuousClock.now - state.lookedAt >= Self.lookEvery else { return state.context }
            state.lookedAt = .now
            let stamp = Self.stamp(certificate, key)
            guard stamp != state.stamp else { return state.context }
            state.stamp = stamp
            do {
                state.context = try Self.load(certificate, key, protocols)
                logger.notice("Another certificate is shown from now on", metadata: ["path": "\(certificate)"])
            } catch {
                logger.error(
                    "The certificate was replaced by what cannot be used; the one before stays",
                    metadata: ["path": "\(certificate)", "error": "\(error)"])
            }
            return state.context
        }
    }

    private static func load(_ certificate: String, _ key: String, _ protocols: [String]) throws -> NIOSSLContext {
        var configuration = TLSConfiguration.makeServerConfiguration(
            certificateChain: try NIOSSLCertificate.fromPEMFile(certificate).map { .certificate($0) },
            privateKey: .privateKey(try NIOSSLPrivateKey(file: key, format: .pem)))
        // RFC 9325 section 3.1.1.
        configuration.minimumTLSVersion = .tlsv12
        // Of TLS 1.2 only what keeps secrets forward and binds what it hides (section 4.2; RFC 9113 appendix A).
        configuration.cipherSuites = "ECDHE+AESGCM:ECDHE+CHACHA20"
        configuration.applicationProtocols = protocols
        return try NIOSSLContext(configuration: configuration)
    }

    private static func stamp(_ paths: String...) -> Stamp? {
        var found: [stat] = []
        for path in paths {
            var information = stat()
            guard stat(path, &information) == 0 else { return nil }
            found.append(information)
        }
        return Stamp(
            modified: found.flatMap { [$0.st_mtim.tv_sec, $0.st_mtim.tv_nsec, Int($0.st_ino)] },
            sizes: found.map { Int($0.st_size) })
    }
}
