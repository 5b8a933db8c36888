// SPDX-License-Identifier: Apache-2.0

internal import Kernel
internal import Web

/// The cards of the sandbox: by a word that says what they do, or by the test numbers that developers know.
enum SandboxCard {
    enum Behaviour: Hashable {
        case approve
        case decline(DeclineReason)
        /// Approves after some seconds.
        case slow
        /// Never answers, and books nothing.
        case stall
        /// Books, and the answer is lost: the shop must ask what became of it.
        case vanish
        /// Asks for a second step of the customer, as 3-D Secure does.
        case secondStep
        /// Books, and says to try again: a shop without one key for both attempts would charge twice.
        case duplicate
    }

    static func behaviour(token: String, amount: Money) -> Behaviour {
        switch token {
        case "sandbox_approve", "4242424242424242", "5555555555554444": .approve
        case "sandbox_decline", "4000000000000002": .decline(.cardDeclined)
        case "sandbox_insufficient_funds", "4000000000009995": .decline(.insufficientFunds)
        case "sandbox_expired_card", "4000000000000069": .decline(.expiredCard)
        case "sandbox_fraud", "4100000000000019": .decline(.fraudSuspected)
        case "sandbox_slow": .slow
        case "sandbox_timeout": .stall
        case "sandbox_unknown": .vanish
        case "sandbox_3ds", "4000000000003220": .secondStep
        case "sandbox_duplicate": .duplicate
        case "sandbox_amount": behaviour(amount: amount)
        default: .decline(.invalidMethod)
        }
    }

    /// What a request asked for instead.
    static func behaviour(_ simulated: Simulation.Payment) -> Behaviour {
        switch simulated {
        case .approved: .approve
        case .declined: .decline(.cardDeclined)
        case .insufficientFunds: .decline(.insufficientFunds)
        case .expiredCard: .decline(.expiredCard)
        case .fraud: .decline(.fraudSuspected)
        case .requiresAction: .secondStep
        case .slow: .slow
        case .timeout: .stall
        case .unknown: .vanish
        }
    }

    /// The magic amounts of the card `sandbox_amount`: the last two digits of the minor units decide.
    private static func behaviour(amount: Money) -> Behaviour {
        switch amount.minorUnits % 100 {
        case 1: .decline(.cardDeclined)
        case 2: .decline(.insufficientFunds)
        case 3: .decline(.expiredCard)
        case 4: .decline(.fraudSuspected)
        case 5: .slow
        case 6: .stall
        case 7: .vanish
        case 8: .secondStep
        case 9: .duplicate
        default: .approve
        }
    }
}
