// SPDX-License-Identifier: Apache-2.0

/// What a request to a sandbox asks to go otherwise: `Vitrine-Simulate: payment=declined, latency=2s, problem=unavailable`.
///
/// What happens to a live shop happens rarely, and never when a developer is looking. So each request can have it happen.
package struct Simulation: Sendable {
    /// What becomes of a payment, whatever the card says.
    package enum Payment: String, CaseIterable, Sendable {
        case approved
        case declined
        case insufficientFunds = "insufficient_funds"
        case expiredCard = "expired_card"
        case fraud
        /// The customer has to take a second step.
        case requiresAction = "requires_action"
        case slow
        /// The provider never answers.
        case timeout
        /// The provider books, and its answer is lost.
        case unknown
    }

    package private(set) var payment: Payment?
    /// How long the request waits before it is worked on.
    package private(set) var latency = Duration.zero
    /// What is answered in place of doing anything.
    package private(set) var problem: ProblemType?

    /// Of the request that is worked on.
    @TaskLocal package static var current: Simulation?

    package static let header = "Vitrine-Simulate"
    private static let latencyMax = Duration.seconds(30)

    /// - Throws: ``Problem`` that says what there is, where the header asks for something else.
    init(_ header: String, of endpoint: Endpoint) throws(Problem) {
        for part in header.split(separator: ",") {
            let pair = part.split(separator: "=", maxSplits: 1).map(\.trimmingSpace)
            guard pair.count == 2 else { throw Self.problem("\(part.prefix(60)) is not NAME=VALUE.") }
            switch pair[0] {
            case "payment": payment = try Self.payment(pair[1])
            case "latency": latency = try Self.latency(pair[1])
            case "problem": problem = try Self.problem(pair[1], of: endpoint)
            default: throw Self.problem("There is payment, latency and problem, and no \(pair[0].prefix(60)).")
            }
        }
    }

    private static func payment(_ text: String) throws(Problem) -> Payment {
        guard let payment = Payment(rawValue: text) else {
            let all = Payment.allCases.map(\.rawValue).joined(separator: ", ")
            throw problem("payment is one of \(all).")
        }
        return payment
    }

    private static func latency(_ text: String) throws(Problem) -> Duration {
        let number = text.prefix { $0.isASCII && $0.isNumber }
        let unit: Duration? =
            switch text.dropFirst(number.count) {
            case "ms": .milliseconds(1)
            case "s": .seconds(1)
            default: nil
            }
        guard let unit, let count = Int(number), unit * count <= latencyMax else {
            throw problem("latency is a time such as 250ms or 2s, 30s at most.")
        }
        return unit * count
    }

    private static func problem(_ slug: String, of endpoint: Endpoint) throws(Problem) -> ProblemType {
        let known = ProblemType.common + endpoint.problems
        guard let type = known.first(where: { $0.slug == slug || $0.code == slug }) else {
            throw problem("This operation answers with no problem \(slug.prefix(60)); /problems lists them.")
        }
        return type
    }

    private static func problem(_ detail: String) -> Problem {
        Problem(.invalidParameter, "\(header): \(detail)")
    }
}
