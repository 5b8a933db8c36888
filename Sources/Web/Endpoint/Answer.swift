// SPDX-License-Identifier: Apache-2.0

/// What an endpoint answers with, before it is bytes.
package struct Answer<Body: WireBody>: Sendable {
    enum Content: Sendable {
        case body(Body)
        case empty
        /// An answer that was rendered before: a replay, or one that was stored with its effect.
        case rendered(WireResponse)
    }

    let status: Int
    let content: Content
    /// The state's version, for resources that can be changed conditionally.
    let version: Int64?
    let location: String?
    let language: String?

    private init(
        status: Int, _ content: Content, version: Int64? = nil, location: String? = nil, language: String? = nil
    ) {
        self.status = status
        self.content = content
        self.version = version
        self.location = location
        self.language = language
    }

    package static func ok(_ body: Body, version: Int64? = nil, language: String? = nil) -> Answer {
        Answer(status: 200, .body(body), version: version, language: language)
    }

    package static func created(_ body: Body, at location: String, version: Int64? = nil) -> Answer {
        Answer(status: 201, .body(body), version: version, location: location)
    }

    /// Taken, and still being worked on; `location` tells how it went.
    package static func accepted(_ body: Body, at location: String, version: Int64? = nil) -> Answer {
        Answer(status: 202, .body(body), version: version, location: location)
    }

    /// One answer for each part of a batch, whatever the parts' fates.
    package static func multiStatus(_ body: Body) -> Answer { Answer(status: 207, .body(body)) }

    static func rendered(_ response: WireResponse) -> Answer { Answer(status: response.status, .rendered(response)) }
}

/// The body of an answer that has none.
package struct NoBody: WireBody {
    package static let schema = Schema.object("Nothing", NoBody.init)
    package init() {}
}

extension Answer where Body == NoBody {
    package static var noContent: Answer { Answer(status: 204, .empty) }
}
