// SPDX-License-Identifier: Apache-2.0

import Testing

@testable import Ordering

struct OrderStateMachineTests {
    private static let events: [OrderEvent] = [
        .paymentAuthorized, .paymentCaptured, .paymentDeclined, .expired, .cancelled, .partlyShipped, .fullyShipped,
        .completed, .partlyReturned, .fullyReturned,
    ]

    @Test func `an order goes its way from pending to completed`() throws {
        var machine = OrderStateMachine(.pending)
        #expect(try machine.handle(.paymentAuthorized) == .confirmSale && machine.state == .confirmed)
        #expect(try machine.handle(.paymentCaptured) == .none && machine.state == .paid)
        #expect(try machine.handle(.partlyShipped) == .none && machine.state == .partiallyFulfilled)
        #expect(try machine.handle(.fullyShipped) == .none && machine.state == .fulfilled)
        #expect(try machine.handle(.completed) == .none && machine.state == .completed)
        #expect(try machine.handle(.fullyReturned) == .none && machine.state == .returned)
    }

    @Test func `a sale is confirmed once, whatever is heard afterwards`() throws {
        for first in [OrderEvent.paymentAuthorized, .paymentCaptured] {
            var machine = OrderStateMachine(.pending)
            #expect(try machine.handle(first) == .confirmSale)
            #expect(try machine.handle(first) == .none)
        }
    }

    @Test func `money for an order that was given up goes back`() throws {
        for event in [OrderEvent.paymentAuthorized, .paymentCaptured] {
            var machine = OrderStateMachine(.cancelled)
            #expect(try machine.handle(event) == .returnMoney && machine.state == .cancelled)
        }
    }

    @Test func `every step leads to a state that its origin names, or is refused and changes nothing`() {
        for state in OrderState.allCases {
            for event in Self.events {
                var machine = OrderStateMachine(state)
                do {
                    _ = try machine.handle(event)
                    let isNamed =
                        machine.state == state || OrderStateMachine.successors(of: state).contains(machine.state)
                    #expect(isNamed, "\(state) \(event) \(machine.state)")
                } catch {
                    #expect(error == .illegalTransition(from: state, event: event))
                    #expect(machine.state == state)
                }
            }
        }
    }

    @Test func `goods that are on their way cannot be cancelled, goods that are not sent cannot come back`() {
        for state in [OrderState.partiallyFulfilled, .fulfilled, .completed, .returned] {
            var machine = OrderStateMachine(state)
            #expect(throws: OrderingError.self) { try machine.handle(.cancelled) }
        }
        for state in [OrderState.pending, .confirmed, .paid, .cancelled] {
            var machine = OrderStateMachine(state)
            #expect(throws: OrderingError.self) { try machine.handle(.fullyReturned) }
        }
    }

    @Test func `order numbers survive being read aloud`() {
        for _ in 0..<200 {
            let number = OrderNumber.make()
            #expect(number.wholeMatch(of: #/[0-9]{3}-[0-9]{3}-[0-9]{4}/#) != nil)
            #expect(OrderNumber.isValid(number))
            var digits = Array(number.filter { $0 != "-" })
            let place = Int.random(in: 0..<9)
            if digits[place] != digits[place + 1] {
                digits.swapAt(place, place + 1)
                #expect(!OrderNumber.isValid(String(digits)), "neighbours exchanged")
                digits.swapAt(place, place + 1)
            }
            digits[place] = digits[place] == "9" ? "0" : "9"
            if String(digits) != number.filter({ $0 != "-" }) {
                #expect(!OrderNumber.isValid(String(digits)), "one digit wrong")
            }
        }
    }
}
