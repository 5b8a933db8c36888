// SPDX-License-Identifier: Apache-2.0

internal import Foundation
package import Identity
package import Jobs
internal import Kernel
package import Logging
package import Ordering
package import Payments
internal import Persistence
internal import RateLimiting
package import Resilience
internal import TLS
package import Web

/// Every setting of the process.
package struct Configuration: Sendable {
    /// Where the embedded database lies. Default `./vitrine-data`. Environment: `VITRINE_DATA`.
    package var dataDirectory = "vitrine-data"
    /// The address to listen on. Default 127.0.0.1. Environment: `VITRINE_HOST`. 0.0.0.0 behind a proxy.
    package var host = "127.0.0.1"
    /// The port to listen on. Default 8080; 0 takes a free one. Environment: `VITRINE_PORT`.
    package var port = 8_080
    /// How clients reach the API, without a slash at the end. Default `http://HOST:PORT`. Environment:
    /// `VITRINE_PUBLIC_URL`. Set it behind a proxy, because links and problem types begin with it.
    package var publicURL: String?
    /// The certificate chain and its key, in PEM, with which the shop and its observatory speak TLS themselves; replaced files are taken up without a
    /// restart. Default none, for a proxy that does. Environment: `VITRINE_TLS_CERTIFICATE` and `VITRINE_TLS_KEY`.
    package var tls: (certificate: String, key: String)?
    /// The language of texts that are no translations. Default `en`. Environment: `VITRINE_LANGUAGE`.
    package var language = "en"
    /// A Postgres server instead of the data directory: `postgres://user@host:port/database?sslmode=verify-full`.
    /// Default none. Environment: `VITRINE_DATABASE`.
    package var databaseURL: String?
    /// Copies of that server for reads that may lag behind by moments, separated by spaces. Default none. Environment:
    /// `VITRINE_REPLICAS`.
    package var replicaURLs: [String] = []
    /// Connections to Postgres that write. Default 8. Environment: `VITRINE_WRITERS`. Raise it where orders wait; those
    /// of all processes together must fit the server.
    package var writers = 8
    /// Threads that read the database. Default 2. Environment: `VITRINE_READER_THREADS`. Raise it with the cores.
    package var readerThreads = 2
    /// Seconds after which an idle connection is closed. Default 60. Environment: `VITRINE_IDLE_TIMEOUT`.
    package var idleSeconds = 60
    /// Least severe log lines that are written. Default `notice`. Environment: `VITRINE_LOG_LEVEL`.
    package var logLevel = Logger.Level.notice
    /// Where traces, metrics and log lines are sent, by OpenTelemetry's variables; see `TelemetrySettings`.
    package var telemetry: TelemetrySettings
    /// What the process keeps of that itself, and where it answers about it; see `ObservatorySettings`.
    package var observatory: ObservatorySettings
    /// The secret key of a Stripe account, which then takes the payments; the sandbox does without. Environment:
    /// `VITRINE_STRIPE_KEY`, and beside it `VITRINE_STRIPE_SIGNING_SECRET` for notifications to
    /// `/v1/payments/notifications/stripe`, `VITRINE_STRIPE_RETURN_URL` where customers come back to from their bank's page,
    /// `VITRINE_STRIPE_ADDRESS` for another server that speaks the same API.
    package var stripe: StripeSettings?
    /// What keys and addresses may use; see `LimitSettings` and docs/LIMITS.md. Environment: `VITRINE_LIMITS`, and
    /// `VITRINE_TRUSTED_PROXIES` for the networks whose `X-Forwarded-For` is believed, and `VITRINE_REDIS` for the Redis in
    /// which all processes count together.
    package var limits = LimitSettings()
    /// Requests that are worked on at once at most; how many it is turns out by how long they wait, and what is beyond is
    /// answered 503, searches and imports first, orders and payments last. Default 8,192. Environment:
    /// `VITRINE_REQUESTS_MAX`.
    package var requestsMax = 8_192
    /// Does faults to the database, to payment providers and to requests on purpose, when an administrator says so; answers are
    /// not kept ready meanwhile. Default none. Environment: `VITRINE_FAULTS`, which takes `allowed`.
    package var faults: FaultInjector?
    /// Where developers reach the sandbox of this shop. Default none. Environment: `VITRINE_SANDBOX_URL`, which `vitrine sandbox`
    /// takes for its own.
    package var sandboxURL: String?
    /// Of the shop that this is the sandbox of, so that its pages for developers may ask here; `nil` elsewhere.
    package var sandboxOf: String?
    /// Whether this is a sandbox, in which requests may say what is to go wrong.
    package var isSandbox = false
    /// Hands letters on; `nil` where nobody is written to. Environment: `VITRINE_SENDMAIL`, the path of the machine's `sendmail`, and
    /// `VITRINE_MAIL_FROM`, the address that letters come from.
    package var sendMail: SendMail?
    /// The versions of the API that are served.
    package var versions = Versions.all
    /// Carts and reservations; see `OrderingModule.Settings` for units and names.
    package var ordering = OrderingModule.Settings()
    /// Tokens, sessions and passwords; see `IdentitySettings` for units and names. Its issuer is ``baseURL``.
    package var identity = IdentitySettings()

    static let help = """
        VITRINE_DATA             directory of the database (vitrine-data)
        VITRINE_DATABASE         a Postgres server instead: postgres://user@host:port/database
        VITRINE_REPLICAS         copies of that server, separated by spaces, for reads that may lag behind
        VITRINE_WRITERS          connections to Postgres that write (8)
        VITRINE_HOST             address to listen on (127.0.0.1)
        VITRINE_PORT             port to listen on, 0 for a free one (8080)
        VITRINE_PUBLIC_URL       how clients reach the API (http://HOST:PORT)
        VITRINE_TLS_CERTIFICATE  certificate chain in PEM, for TLS without a proxy (none)
        VITRINE_TLS_KEY          its key in PEM; both may be replaced while the shop is open
        VITRINE_LANGUAGE         language of texts that are no translations (en)
        VITRINE_READER_THREADS   threads that read the database (2)
        VITRINE_IDLE_TIMEOUT     seconds until an idle connection is closed (60)
        VITRINE_REQUESTS_MAX     requests that are worked on at once at most (8192)
        VITRINE_RESERVATION_TTL  seconds that an unpaid order holds its stock (900)
        VITRINE_CART_TTL         seconds that an untouched cart lives (2592000)
        VITRINE_SHOP_NAME        what the shop is called on its pages (Vitrine)
        VITRINE_PAGES            folder of templates for the pages on which people sign in (built-in; see `vitrine pages`)
        VITRINE_ACCESS_TOKEN_LIFETIME  seconds that an access token is good (900)
        VITRINE_AUDIT_RETENTION  days that the audit log is kept, 0 for ever (0)
        VITRINE_SENDMAIL         the machine's sendmail, to write to people: /usr/sbin/sendmail (none)
        VITRINE_MAIL_FROM        the address that letters come from; goes with VITRINE_SENDMAIL
        VITRINE_SIGN_UP          whether developers from outside make accounts: open or closed (open where mail is sent)
        VITRINE_SANDBOX_URL            how developers reach `vitrine sandbox` (none; see docs/SANDBOX.md)
        VITRINE_STRIPE_KEY             secret key of a Stripe account that takes the payments (none: a sandbox)
        VITRINE_STRIPE_SIGNING_SECRET  of the endpoint that Stripe notifies
        VITRINE_STRIPE_RETURN_URL      where customers come back to from their bank's page
        VITRINE_STRIPE_ADDRESS         where Stripe's API is (https://api.stripe.com)
        VITRINE_LIMITS           changes of limits: standard=12000, search=off, writes=shadow; off for none
        VITRINE_TRUSTED_PROXIES  networks whose X-Forwarded-For is believed, separated by spaces (none)
        VITRINE_REDIS            a Redis in which all processes count limits together: redis://host:6379 (none)
        VITRINE_FAULTS           allowed: an administrator may do faults on purpose (none; see docs/CHAOS.md)
        VITRINE_LOG_LEVEL        trace, debug, info, notice, warning, error or critical (notice)
        \(TelemetrySettings.help)
        \(ObservatorySettings.help)
        """

    /// - Throws: `Failure` with `misconfigured`, naming the variable and what it takes.
    package init(environment: [String: String] = ProcessInfo.processInfo.environment) throws {
        func text(_ name: String) -> String? { environment[name].flatMap { $0.isEmpty ? nil : $0 } }
        func number(_ name: String, _ range: ClosedRange<Int>, _ standard: Int) throws -> Int {
            guard let text = text(name) else { return standard }
            guard let value = Int(text), range.contains(value) else {
                throw Failure(
                    .misconfigured,
                    "\(name) takes a number from \(range.lowerBound) to \(range.upperBound), not “\(text)”.")
            }
            return value
        }
        telemetry = try TelemetrySettings(environment: environment)
        observatory = try ObservatorySettings(text: text, number: number)
        dataDirectory = text("VITRINE_DATA") ?? dataDirectory
        databaseURL = text("VITRINE_DATABASE")
        replicaURLs = text("VITRINE_REPLICAS").map { $0.split(separator: " ").map(String.init) } ?? []
        writers = try number("VITRINE_WRITERS", 1...256, writers)
        host = text("VITRINE_HOST") ?? host
        port = try number("VITRINE_PORT", 0...65_535, port)
        publicURL = text("VITRINE_PUBLIC_URL")
        sandboxURL = text("VITRINE_SANDBOX_URL")
        switch (text("VITRINE_TLS_CERTIFICATE"), text("VITRINE_TLS_KEY")) {
        case (let certificate?, let key?): tls = (certificate, key)
        case (nil, nil): break
        default:
            throw Failure(.misconfigured, "VITRINE_TLS_CERTIFICATE and VITRINE_TLS_KEY are given together.")
        }
        language = text("VITRINE_LANGUAGE") ?? language
        readerThreads = try number("VITRINE_READER_THREADS", 1...64, readerThreads)
        idleSeconds = try number("VITRINE_IDLE_TIMEOUT", 1...3_600, idleSeconds)
        requestsMax = try number("VITRINE_REQUESTS_MAX", 1...1_000_000, requestsMax)
        ordering.reservationTimeToLive = .seconds(try number("VITRINE_RESERVATION_TTL", 1...86_400, 900))
        ordering.cartTimeToLive = .seconds(try number("VITRINE_CART_TTL", 60...31_536_000, 2_592_000))
        identity.shopName = text("VITRINE_SHOP_NAME") ?? identity.shopName
        if let directory = text("VITRINE_PAGES") { identity.pages = try PageTemplates(directory: directory) }
        sendMail = try Self.sendMail(text("VITRINE_SENDMAIL"), text("VITRINE_MAIL_FROM"), identity.shopName)
        identity.isSignUpOpen = try Self.isSignUpOpen(text("VITRINE_SIGN_UP")) ?? (sendMail != nil)
        identity.accessTokenLifetime = .seconds(try number("VITRINE_ACCESS_TOKEN_LIFETIME", 60...86_400, 900))
        let days = try number("VITRINE_AUDIT_RETENTION", 0...36_500, 0)
        identity.auditRetention = days == 0 ? nil : .seconds(days * 86_400)
        if let text = text("VITRINE_LIMITS") { try limits.apply(text) }
        limits.redisURL = text("VITRINE_REDIS")
        if let text = text("VITRINE_TRUSTED_PROXIES") {
            guard let proxies = TrustedProxies(text.split(separator: " ").map(String.init)) else {
                throw Failure(
                    .misconfigured,
                    "VITRINE_TRUSTED_PROXIES takes networks such as 10.0.0.0/8 and fd00::/8, not “\(text)”.")
            }
            limits.proxies = proxies
        }
        if let key = text("VITRINE_STRIPE_KEY") {
            stripe = StripeSettings(
                secretKey: key, notificationSecret: text("VITRINE_STRIPE_SIGNING_SECRET"),
                address: text("VITRINE_STRIPE_ADDRESS") ?? "https://api.stripe.com",
                returnURL: text("VITRINE_STRIPE_RETURN_URL"))
        }
        if let text = text("VITRINE_FAULTS") {
            guard text == "allowed" else {
                throw Failure(.misconfigured, "VITRINE_FAULTS takes allowed or nothing, not “\(text)”.")
            }
            faults = FaultInjector()
        }
        if let name = text("VITRINE_LOG_LEVEL") {
            guard let level = Logger.Level(rawValue: name) else {
                throw Failure(
                    .misconfigured, "VITRINE_LOG_LEVEL takes trace, debug, info, notice, warning, error or critical.")
            }
            logLevel = level
        }
    }

    private static func sendMail(_ path: String?, _ sender: String?, _ name: String) throws -> SendMail? {
        switch (path, sender) {
        case (nil, nil): return nil
        case (let path?, let sender?):
            guard FileManager.default.isExecutableFile(atPath: path) else {
                throw Failure(.misconfigured, "VITRINE_SENDMAIL takes the path of a program, not “\(path)”.")
            }
            guard sender.wholeMatch(of: /[!-~]+@[!-~]+/) != nil else {
                throw Failure(.misconfigured, "VITRINE_MAIL_FROM takes a mail address, not “\(sender)”.")
            }
            return Sendmail(path: path, sender: sender, name: name).send
        default: throw Failure(.misconfigured, "VITRINE_SENDMAIL and VITRINE_MAIL_FROM are given together.")
        }
    }

    /// - Returns: `nil` where nothing is said.
    private static func isSignUpOpen(_ text: String?) throws -> Bool? {
        switch text {
        case nil: nil
        case "open": true
        case "closed": false
        case let text?: throw Failure(.misconfigured, "VITRINE_SIGN_UP takes open or closed, not “\(text)”.")
        }
    }

    /// The key with which commands call a shop that runs elsewhere. Environment: `VITRINE_API_KEY`.
    static func apiKey(environment: [String: String] = ProcessInfo.processInfo.environment) -> String? {
        environment["VITRINE_API_KEY"].flatMap { $0.isEmpty ? nil : $0 }
    }

    /// Where signals wait for a collector that is away; `nil` for memory, because beside a server there is no directory.
    var spoolFolder: String? {
        telemetry.spoolFolder ?? (databaseURL == nil ? dataDirectory + "/spool" : nil)
    }

    /// Where telemetry is kept; `nil` where it is not.
    var telemetryFolder: String? {
        guard !observatory.isOff else { return nil }
        return observatory.folder ?? (databaseURL == nil ? dataDirectory + "/telemetry" : nil)
    }

    package var databasePath: String { dataDirectory + "/shop.sqlite" }

    /// With the address by which the shop is known.
    var identitySettings: IdentitySettings {
        var settings = identity
        settings.issuer = baseURL
        settings.sandboxAddress = sandboxURL
        settings.shopAddress = sandboxOf
        settings.isSandbox = isSandbox
        return settings
    }

    package var baseURL: String { publicURL ?? "\(scheme)://\(host):\(port)" }

    /// What is spoken on the port.
    var scheme: String { tls == nil ? "http" : "https" }

    /// For a server that speaks these protocols (RFC 7301) over TLS; `nil` where there is to be none.
    /// - Throws: `Failure` with `misconfigured` where the files cannot be used.
    func certificates(_ protocols: String...) throws -> Certificates? {
        try tls.map { try Certificates(certificate: $0.certificate, key: $0.key, protocols: protocols) }
    }
}
