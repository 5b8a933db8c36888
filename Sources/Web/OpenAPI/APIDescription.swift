// SPDX-License-Identifier: Apache-2.0

package import Kernel

/// What the API says of itself, for pages that show it to people.
package struct APIDescription: Sendable {
    /// An operation that is on its way out.
    package struct Leaving: Sendable {
        package let method: Method
        package let path: String
        package let deprecation: Deprecation
    }

    /// The OpenAPI document.
    package let document: JSON
    /// Every kind of problem, by status.
    package let problems: [ProblemType]
    package let versions: APIVersions
    package let leaving: [Leaving]

    init(document: JSON, endpoints: [Endpoint], versions: APIVersions) {
        self.document = document
        self.versions = versions
        problems = Self.problems(of: endpoints)
        leaving = endpoints.compactMap { endpoint in
            endpoint.deprecation.map { Leaving(method: endpoint.method, path: endpoint.path, deprecation: $0) }
        }
    }

    private static func problems(of endpoints: [Endpoint]) -> [ProblemType] {
        var known: [ProblemType] = []
        for problem in ProblemType.common + endpoints.flatMap(\.problems) where !known.contains(problem) {
            known.append(problem)
        }
        return known.sorted { ($0.status, $0.slug) < ($1.status, $1.slug) }
    }
}
