// SPDX-License-Identifier: Apache-2.0

internal import Crypto
internal import Kernel
internal import Web

/// The files that pages load; their addresses change with them, so that they can be kept.
enum PortalStyle {
    static let path = "/developers/style-\(mark(PackageResources.portal_css)).css"
    static let scriptPath = "/developers/try-\(mark(PackageResources.portal_js)).js"

    static let response = WireResponse.file(PackageResources.portal_css, "text/css; charset=utf-8")
    static let script = WireResponse.file(PackageResources.portal_js, "text/javascript; charset=utf-8")

    private static func mark(_ bytes: [UInt8]) -> String {
        Base64URL.encode(Array(SHA256.hash(data: bytes).prefix(6)))
    }
}
