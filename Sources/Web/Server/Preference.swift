// SPDX-License-Identifier: Apache-2.0

internal import HTTPTypes

/// What a client would like, and goes without where it cannot be (RFC 7240).
enum Preference {
    /// How long a client waits for its answer at most (section 4.3): the deadline of everything that is done for it.
    /// - Returns: a second or more; `nil` where it says nothing that can be read.
    static func wait(in headers: HTTPFields) -> Duration? {
        guard let name = HTTPField.Name("Prefer"), headers.contains(name) else { return nil }
        for preference in headers[values: name].flatMap({ $0.split(separator: ",") }) {
            // Parameters of a preference come after semicolons; of this one none is known.
            let parts = (preference.split(separator: ";").first ?? "").split(separator: "=", maxSplits: 1)
            guard parts.count == 2, parts[0].trimmingSpace.lowercased() == "wait" else { continue }
            let value = parts[1].trimmingSpace
            let digits = value.hasPrefix("\"") && value.hasSuffix("\"") ? String(value.dropFirst().dropLast()) : value
            // The first counts where there are several (section 2).
            guard let seconds = Int(digits), (1...86_400).contains(seconds) else { return nil }
            return .seconds(seconds)
        }
        return nil
    }

    /// How long a request may take: what its operation allows, or less where the client says so.
    static func timeMax(of endpoint: Endpoint, _ headers: HTTPFields) -> Duration {
        wait(in: headers).map { min($0, endpoint.timeMax) } ?? endpoint.timeMax
    }

    static func applied(_ wait: Duration) -> HeaderField {
        HeaderField("Preference-Applied", "wait=\(wait.components.seconds)")
    }
}
