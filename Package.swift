// swift-tools-version: 6.2
// SPDX-License-Identifier: Apache-2.0

import PackageDescription

// What every target of the house is compiled with.
let settings: [SwiftSetting] = [
    .swiftLanguageMode(.v6),
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("InternalImportsByDefault"),
    .enableUpcomingFeature("MemberImportVisibility"),
    .treatAllWarnings(as: .error),
]

// Tests see the insides of what they test, so the access of their imports says nothing.
let testSettings: [SwiftSetting] = [
    .swiftLanguageMode(.v6), .enableUpcomingFeature("ExistentialAny"), .treatAllWarnings(as: .error),
]

// The field's own parts. docs/ARCHITECTURE.md says what each adds to a clean build.
let hummingbird: Target.Dependency = .product(name: "Hummingbird", package: "hummingbird")
let hummingbirdHTTP2: Target.Dependency = .product(name: "HummingbirdHTTP2", package: "hummingbird")
let hummingbirdCore: Target.Dependency = .product(name: "HummingbirdCore", package: "hummingbird")
let httpTypes: Target.Dependency = .product(name: "HTTPTypes", package: "swift-http-types")
let nioCore: Target.Dependency = .product(name: "NIOCore", package: "swift-nio")
let nioEmbedded: Target.Dependency = .product(name: "NIOEmbedded", package: "swift-nio")
let nioPosix: Target.Dependency = .product(name: "NIOPosix", package: "swift-nio")
let nioHTTP1: Target.Dependency = .product(name: "NIOHTTP1", package: "swift-nio")
let nioHTTP2: Target.Dependency = .product(name: "NIOHTTP2", package: "swift-nio-http2")
let nioHPACK: Target.Dependency = .product(name: "NIOHPACK", package: "swift-nio-http2")
let nioSSL: Target.Dependency = .product(name: "NIOSSL", package: "swift-nio-ssl")
let nioTLS: Target.Dependency = .product(name: "NIOTLS", package: "swift-nio")
let nioWebSocket: Target.Dependency = .product(name: "NIOWebSocket", package: "swift-nio")
let nioHTTPTypes: Target.Dependency = .product(name: "NIOHTTPTypes", package: "swift-nio-extras")
let logging: Target.Dependency = .product(name: "Logging", package: "swift-log")
let lifecycle: Target.Dependency = .product(name: "ServiceLifecycle", package: "swift-service-lifecycle")
let signals: Target.Dependency = .product(name: "UnixSignals", package: "swift-service-lifecycle")
let crypto: Target.Dependency = .product(name: "Crypto", package: "swift-crypto")
let cryptoExtras: Target.Dependency = .product(name: "CryptoExtras", package: "swift-crypto")
let asyncHTTPClient: Target.Dependency = .product(name: "AsyncHTTPClient", package: "async-http-client")
let coreMetrics: Target.Dependency = .product(name: "CoreMetrics", package: "swift-metrics")
let metrics: Target.Dependency = .product(name: "Metrics", package: "swift-metrics")
let tracing: Target.Dependency = .product(name: "Tracing", package: "swift-distributed-tracing")
let instrumentation: Target.Dependency = .product(name: "Instrumentation", package: "swift-distributed-tracing")
let serviceContext: Target.Dependency = .product(name: "ServiceContextModule", package: "swift-service-context")
let mustache: Target.Dependency = .product(name: "Mustache", package: "swift-mustache")
let yams: Target.Dependency = .product(name: "Yams", package: "Yams")
let arguments: Target.Dependency = .product(name: "ArgumentParser", package: "swift-argument-parser")

func room(
    _ name: String, _ dependencies: [Target.Dependency], documents: [String] = ["README.md"],
    resources: [Resource]? = nil
) -> Target {
    .target(
        name: name, dependencies: dependencies, exclude: documents, resources: resources, swiftSettings: settings)
}

func tests(_ name: String, _ dependencies: [Target.Dependency], resources: [Resource]? = nil) -> Target {
    .testTarget(name: name, dependencies: dependencies, resources: resources, swiftSettings: testSettings)
}

let ground: [Target] = [
    room("Kernel", ["CZlib"]),
    .systemLibrary(name: "CSQLite", pkgConfig: "sqlite3", providers: [.apt(["libsqlite3-dev"])]),
    .systemLibrary(name: "CZlib", pkgConfig: "zlib", providers: [.apt(["zlib1g-dev"])]),
    .systemLibrary(name: "CZstd", pkgConfig: "libzstd", providers: [.apt(["libzstd-dev"])]),
    .systemLibrary(name: "CLibpq", pkgConfig: "libpq", providers: [.apt(["libpq-dev"])]),
    room("TLS", ["Kernel", hummingbirdCore, logging, nioCore, nioSSL, nioTLS]),
    room("Telemetry", ["Kernel", coreMetrics, instrumentation, lifecycle, logging, serviceContext, tracing]),
    room(
        "Persistence",
        ["CLibpq", "CSQLite", "Kernel", coreMetrics, crypto, instrumentation, logging, serviceContext, tracing]),
    room(
        "OTLP",
        [
            "Kernel", "TLS", "Telemetry", asyncHTTPClient, coreMetrics, httpTypes, hummingbird, lifecycle, logging,
            nioCore,
            nioHPACK, nioHTTP1, nioHTTP2, nioPosix, nioSSL,
        ]),
    .systemLibrary(name: "CPcre2", pkgConfig: "libpcre2-8", providers: [.apt(["libpcre2-dev"])]),
    room("Patterns", ["CPcre2"]),
    .systemLibrary(name: "CHiredis", providers: [.apt(["libhiredis-dev"])]),
    room("Redis", ["CHiredis", "Kernel", coreMetrics, logging]),
    room("RateLimiting", ["Kernel", "Redis", coreMetrics, httpTypes, hummingbird, logging, nioCore]),
    room("Resilience", ["Kernel", coreMetrics, logging, nioCore, nioPosix, tracing]),
    room(
        "Jobs",
        [
            "Kernel", "Persistence", "Resilience", coreMetrics, instrumentation, lifecycle, logging, serviceContext,
            tracing,
        ]),
    room(
        "Web",
        [
            "Kernel", "Persistence", "RateLimiting", "Resilience", "TLS", coreMetrics, crypto, httpTypes, hummingbird,
            hummingbirdCore, hummingbirdHTTP2, instrumentation, logging, metrics, nioCore, nioHTTP1, nioHTTP2,
            nioHTTPTypes, serviceContext, tracing,
        ]),
]

let shop: [Target] = [
    room(
        "Identity",
        ["Jobs", "Kernel", "Persistence", "RateLimiting", "Web", crypto, cryptoExtras, logging, mustache],
        resources: [.embedInCode("Assets")]),
    room("Catalog", ["Jobs", "Kernel", "Persistence", "Web"]),
    room("Inventory", ["Jobs", "Kernel", "Persistence", "Web", metrics]),
    room("Customers", ["Jobs", "Kernel", "Persistence", "Web"]),
    room(
        "Payments",
        [
            "Jobs", "Kernel", "Persistence", "Resilience", "Web", asyncHTTPClient, crypto, logging,
            metrics,
            nioCore, nioHTTP1, tracing,
        ]),
    room(
        "Ordering",
        ["Catalog", "Customers", "Inventory", "Jobs", "Kernel", "Payments", "Persistence", "Web", logging, metrics]),
]

let observatory: [Target] = [
    room("PromQL", ["Patterns", "Telemetry"]),
    .systemLibrary(name: "CResolv"),
    room(
        "Scraping",
        [
            "CResolv", "Kernel", "Patterns", "Telemetry", asyncHTTPClient, crypto, lifecycle, logging, nioCore,
            nioHTTP1, nioSSL, yams,
        ]),
    .systemLibrary(name: "CSnappy", providers: [.apt(["libsnappy-dev"])]),
    room(
        "ObservatoryAPI",
        [
            "CSnappy", "Kernel", "OTLP", "Patterns", "PromQL", "Scraping", "TLS", "Telemetry", "TelemetryStore", crypto,
            httpTypes,
            hummingbird, hummingbirdCore, lifecycle, logging, nioCore, nioHTTPTypes,
            nioWebSocket,
        ]),
    room(
        "TelemetryStore", ["CZstd", "Kernel", "Patterns", "Telemetry"], documents: ["README.md", "DiskFormat.md"]),
    room(
        "Console", ["Kernel", "Web", httpTypes, hummingbird, lifecycle, nioCore],
        resources: [.embedInCode("Assets/console.css"), .embedInCode("Assets/console.js")]),
]

let edge: [Target] = [
    room(
        "Portal", ["Kernel", "Web", crypto],
        resources: [.embedInCode("Assets/portal.css"), .embedInCode("Assets/portal.js")])
]

let binary: [Target] = [
    .target(name: "CJemalloc", exclude: ["README.md"], linkerSettings: [.linkedLibrary("jemalloc")]),
    .executableTarget(
        name: "Vitrine",
        dependencies: [
            "Catalog", "CJemalloc", "Console", "Customers", "CZstd", "Identity", "Inventory", "Jobs", "Kernel",
            "ObservatoryAPI",
            "OTLP", "Ordering", "Payments", "Persistence", "Portal", "PromQL", "RateLimiting", "Resilience", "Scraping",
            "TLS", "Telemetry", "TelemetryStore", "Web", arguments, coreMetrics, hummingbird, lifecycle, logging,
            nioCore,
            nioHTTP1, nioPosix, signals,
        ],
        exclude: ["README.md"],
        swiftSettings: settings),
]

// The peer that the benchmarks measure the shop against.
let benchmarks: [Target] = [
    .executableTarget(
        name: "BareServer", dependencies: [hummingbird, logging], path: "Benchmarks/BareServer",
        swiftSettings: testSettings),
    .executableTarget(
        name: "GuardCosts", dependencies: ["RateLimiting", "Redis", "Resilience", nioCore],
        path: "Benchmarks/GuardCosts",
        swiftSettings: testSettings),
    .executableTarget(
        name: "TelemetryCosts", dependencies: ["OTLP", "Telemetry", coreMetrics, logging, serviceContext, tracing],
        path: "Benchmarks/TelemetryCosts", swiftSettings: testSettings),
]

let support: [Target] = [
    .target(
        name: "TestSupport",
        dependencies: [
            "Console", "Identity", "Inventory", "Kernel", "OTLP", "ObservatoryAPI", "Ordering", "Payments",
            "Persistence", "Portal",
            "PromQL", "Resilience", "Telemetry", "TelemetryStore", "Vitrine", "Web", asyncHTTPClient, httpTypes,
            hummingbird, logging, nioCore,
        ],
        path: "Tests/TestSupport",
        swiftSettings: testSettings)
]

// A library to the suite, and a program to libFuzzer (Scripts/fuzz.sh), which brings the main function.
let fuzzRooms: [Target.Dependency] = ["Kernel", "OTLP", "Telemetry"]
let fuzz: Target =
    Context.environment["VITRINE_FUZZ"] == nil
    ? .target(
        name: "DecoderFuzz", dependencies: fuzzRooms, path: "Tests/DecoderFuzz", swiftSettings: testSettings)
    : .executableTarget(
        name: "DecoderFuzz", dependencies: fuzzRooms, path: "Tests/DecoderFuzz", swiftSettings: testSettings)

let suites: [Target] = [
    tests("KernelTests", ["Kernel", "TestSupport"]),
    tests("TelemetryTests", ["Telemetry", coreMetrics, lifecycle, logging, metrics, serviceContext, tracing]),
    tests("OTLPTests", ["DecoderFuzz", "Kernel", "OTLP", "Telemetry", "TestSupport", "Vitrine"]),
    tests(
        "RateLimitingTests",
        ["Kernel", "RateLimiting", "TestSupport", httpTypes, hummingbird, logging, nioCore, nioEmbedded]),
    tests("RedisTests", ["Kernel", "Redis", "TestSupport"]),
    tests("ResilienceTests", ["Kernel", "Resilience", "TestSupport", nioCore, nioPosix]),
    tests("PatternsTests", ["Patterns"]),
    tests("PromQLTests", ["Kernel", "Patterns", "PromQL", "Telemetry", "TestSupport"]),
    tests("TelemetryStoreTests", ["Kernel", "Telemetry", "TelemetryStore", "TestSupport"]),
    tests("ScrapingTests", ["Kernel", "Scraping", "Telemetry", "TestSupport"]),
    tests(
        "ObservatoryAPITests",
        [
            "Kernel", "ObservatoryAPI", "OTLP", "PromQL", "Telemetry", "TelemetryStore", "TestSupport",
            "Vitrine",
            asyncHTTPClient, nioCore,
        ]),
    tests(
        "ConsoleTests",
        [
            "Console", "Kernel", "ObservatoryAPI", "Telemetry", "TelemetryStore", "TestSupport", "Web", asyncHTTPClient,
            nioCore,
        ]),
    tests("PersistenceTests", ["Kernel", "Persistence", "TestSupport"]),
    tests("JobsTests", ["Jobs", "Kernel", "Persistence", "TestSupport"]),
    tests(
        "WebTests",
        [
            "Identity", "Inventory", "Kernel", "Persistence", "RateLimiting", "TestSupport", "Vitrine", "Web",
            httpTypes, nioCore, nioEmbedded,
            nioHTTPTypes,
        ],
        resources: [.copy("Golden")]),
    tests("PortalTests", ["Kernel", "Portal", "TestSupport", "Web", httpTypes]),
    tests(
        "IdentityTests", ["Identity", "Kernel", "Persistence", "TestSupport", "Vitrine", "Web", crypto, httpTypes]),
    tests("CatalogTests", ["Catalog", "Kernel", "TestSupport"]),
    tests("InventoryTests", ["Inventory", "Kernel", "Persistence", "TestSupport"]),
    tests("CustomersTests", ["Customers", "Kernel", "Persistence", "TestSupport"]),
    tests("PaymentsTests", ["Kernel", "Payments", "Persistence", "TestSupport", "Vitrine"]),
    tests(
        "OrderingTests",
        [
            "Kernel", "Ordering", "Payments", "Persistence", "Resilience", "Telemetry", "TestSupport", "Vitrine",
            httpTypes, metrics,
            tracing,
        ]),
    tests("HouseRulesTests", []),
    tests(
        "VitrineTests",
        ["Kernel", "Resilience", "Telemetry", "TestSupport", "Vitrine", asyncHTTPClient, nioCore, nioHTTP1]),
]

let package = Package(
    name: "vitrine",
    products: [
        .executable(name: "vitrine", targets: ["Vitrine"]),
        .library(name: "RateLimiting", targets: ["RateLimiting"]),
        .library(name: "Resilience", targets: ["Resilience"]),
        .library(name: "Telemetry", targets: ["Telemetry"]),
    ],
    dependencies: [
        .package(url: "https://github.com/swift-server/async-http-client.git", from: "1.37.0"),
        .package(url: "https://github.com/hummingbird-project/hummingbird.git", from: "2.28.1", traits: []),
        .package(url: "https://github.com/apple/swift-argument-parser.git", from: "1.8.2"),
        .package(url: "https://github.com/apple/swift-crypto.git", from: "4.5.2"),
        .package(url: "https://github.com/apple/swift-http-types.git", from: "1.8.0"),
        .package(url: "https://github.com/apple/swift-distributed-tracing.git", from: "1.7.3"),
        .package(url: "https://github.com/apple/swift-log.git", from: "1.16.2"),
        .package(url: "https://github.com/apple/swift-metrics.git", from: "2.13.0"),
        .package(url: "https://github.com/apple/swift-nio.git", from: "2.101.2"),
        .package(url: "https://github.com/apple/swift-nio-extras.git", from: "1.35.2"),
        .package(url: "https://github.com/apple/swift-nio-http2.git", from: "1.46.0"),
        .package(url: "https://github.com/apple/swift-nio-ssl.git", from: "2.37.6"),
        .package(url: "https://github.com/apple/swift-service-context.git", from: "1.5.1"),
        .package(url: "https://github.com/swift-server/swift-service-lifecycle.git", from: "2.13.0"),
        .package(url: "https://github.com/hummingbird-project/swift-mustache.git", from: "2.1.1"),
        .package(url: "https://github.com/jpsim/Yams.git", from: "6.2.2"),
    ],
    targets: ground + shop + observatory + edge + binary + benchmarks + support + [fuzz] + suites
)
