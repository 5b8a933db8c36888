// SPDX-License-Identifier: Apache-2.0

internal import Crypto
internal import Kernel
internal import Web

/// The one file that pages load; its address changes with it, so that it can be kept.
enum PortalStyle {
    private static let bytes = PackageResources.portal_css
    static let path = "/developers/style-\(Base64URL.encode(Array(SHA256.hash(data: bytes).prefix(6)))).css"

    static let response = WireResponse.file(bytes, "text/css; charset=utf-8")
}
