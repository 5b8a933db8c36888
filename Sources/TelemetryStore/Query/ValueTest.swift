// SPDX-License-Identifier: Apache-2.0

internal import Patterns
internal import Telemetry

/// A matcher that is ready to test values.
struct ValueTest {
    let matcher: LabelMatcher
    private let pattern: Pattern?

    init(_ matcher: LabelMatcher) throws {
        self.matcher = matcher
        pattern =
            switch matcher.operation {
            case .equal, .notEqual: nil
            case .matches, .matchesNot: try Pattern(matcher.value, .whole)
            }
    }

    func accepts(_ value: String) throws -> Bool {
        switch matcher.operation {
        case .equal: value == matcher.value
        case .notEqual: value != matcher.value
        case .matches: try pattern?.matches(value) == true
        case .matchesNot: try pattern?.matches(value) == false
        }
    }
}
