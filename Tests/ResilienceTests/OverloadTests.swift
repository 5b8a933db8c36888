// SPDX-License-Identifier: Apache-2.0

import Foundation
import TestSupport
import Testing

@testable import Resilience

/// A dependency of ten hands that take 20 ms each, asked at random times, in simulated time.
private struct Simulation {
    static let hands = 10
    static let capacity = 500.0

    private struct Call {
        let arrival: Int64
        var begun: Int64 = 0
        let priority: Priority
    }

    private enum Event {
        case arrival
        case done(Call)
    }

    var limit: AdaptiveLimit
    /// Calls a second, and how long one takes, at a time in seconds.
    let load: (Double) -> Double
    let service: (Double) -> Double
    var priority: (Int) -> Priority = { _ in .critical }
    /// How much a call may take less or more than `service` says, as a share of it.
    var spread = 0.1
    /// Whether calls tell how long they waited for a hand.
    var tellsWaiting = false
    private var random: SeededGenerator
    private var events: [(at: Int64, event: Event)] = []
    private var queue: [Call] = []
    private var queueHead = 0
    private var busy = 0
    private(set) var finished: [(at: Double, took: Double, priority: Priority)] = []
    private(set) var refused: [Priority: Int] = [:]
    private(set) var asked: [Priority: Int] = [:]

    init(seed: UInt64, load: @escaping (Double) -> Double, service: @escaping (Double) -> Double = { _ in 0.02 }) {
        limit = AdaptiveLimit(AdaptiveLimitSettings())
        random = SeededGenerator(seed: seed)
        self.load = load
        self.service = service
    }

    /// A heap would be faster; a few dozen events are under way at most.
    private mutating func schedule(_ event: Event, at time: Int64) {
        var place = events.count
        while place > 0, events[place - 1].at < time { place -= 1 }
        events.insert((time, event), at: place)
    }

    mutating func run(seconds: Double, limited: Bool = true) {
        schedule(.arrival, at: 1)
        var number = 0
        while let (now, event) = events.popLast(), Double(now) < seconds * 1e9 {
            let time = Double(now) / 1e9
            switch event {
            case .arrival:
                let pause = -log(Double.random(in: 1e-9..<1, using: &random)) / load(time)
                schedule(.arrival, at: now + max(1, Int64(pause * 1e9)))
                let call = Call(arrival: now, priority: priority(number))
                number += 1
                asked[call.priority, default: 0] += 1
                guard !limited || limit.admit(share: call.priority.share) else {
                    refused[call.priority, default: 0] += 1
                    continue
                }
                queue.append(call)
            case .done(let call):
                busy -= 1
                finished.append((time, Double(now - call.arrival) / 1e9, call.priority))
                let waited = tellsWaiting ? call.begun - call.arrival : nil
                if limited { limit.report(.success, took: now - call.arrival, waited: waited, now) }
            }
            while busy < Self.hands, queueHead < queue.count {
                busy += 1
                let took = service(time) * Double.random(in: 1 - spread...1 + spread, using: &random)
                queue[queueHead].begun = now
                schedule(.done(queue[queueHead]), at: now + Int64(took * 1e9))
                queueHead += 1
            }
        }
    }

    func goodput(from start: Double, to end: Double) -> Double {
        Double(finished.count { $0.at >= start && $0.at < end }) / (end - start)
    }

    func percentile(_ share: Double, from start: Double, to end: Double) -> Double {
        let times = finished.filter { $0.at >= start && $0.at < end }.map(\.took).sorted()
        return times.isEmpty ? 0 : times[min(times.count - 1, Int(Double(times.count) * share))]
    }
}

@Suite struct OverloadTests {
    private static let unloaded: Double = {
        var simulation = Simulation(seed: 1, load: { _ in 100 })
        simulation.run(seconds: 20)
        return simulation.percentile(0.99, from: 1, to: 20)
    }()

    @Test(arguments: [1.5, 3, 10])
    func `under any load as much is done as can be, and nobody waits twice as long`(load: Double) {
        for seed in 1...5 {
            var simulation = Simulation(seed: UInt64(seed), load: { _ in load * Simulation.capacity })
            simulation.run(seconds: 40)
            let goodput = simulation.goodput(from: 5, to: 40) / Simulation.capacity
            let slowest = simulation.percentile(0.99, from: 5, to: 40) / Self.unloaded
            #expect(goodput >= 0.95, "seed \(seed): \(goodput) of capacity")
            #expect(slowest <= 2, "seed \(seed): p99 is \(slowest) times the unloaded, limit \(simulation.limit.limit)")
        }
    }

    @Test(arguments: [0.5, 1.5, 10])
    func `calls that differ much are told from a queue where they know what they waited`(load: Double) {
        for seed in 1...5 {
            var simulation = Simulation(seed: UInt64(seed), load: { _ in load * Simulation.capacity })
            (simulation.spread, simulation.tellsWaiting) = (0.9, true)
            simulation.run(seconds: 40)
            let goodput = simulation.goodput(from: 5, to: 40) / Simulation.capacity
            let refused = Double(simulation.refused[.critical] ?? 0) / Double(simulation.asked[.critical] ?? 1)
            // Without waiting one in a hundred takes 37.6 ms.
            let slowest = simulation.percentile(0.99, from: 5, to: 40) / 0.0376
            let found = "seed \(seed): \(goodput) of capacity, \(refused) refused, p99 \(slowest) times the unloaded"
            #expect(goodput >= min(load, 1) * 0.95, "\(found)")
            #expect(slowest <= 2, "\(found)")
            if load < 1 { #expect(refused < 0.01, "\(found)") }
        }
    }

    @Test func `without a limit everybody waits, and for ever longer`() {
        var simulation = Simulation(seed: 1, load: { _ in 1.5 * Simulation.capacity })
        simulation.run(seconds: 20, limited: false)
        #expect(simulation.percentile(0.99, from: 5, to: 20) > 4)
    }

    @Test func `after forty seconds at a fifth it is back within five`() {
        for seed in 1...5 {
            var simulation = Simulation(
                seed: UInt64(seed), load: { _ in 1.2 * Simulation.capacity },
                service: { $0 >= 20 && $0 < 60 ? 0.1 : 0.02 })
            simulation.run(seconds: 90)
            let after = simulation.goodput(from: 65, to: 90) / Simulation.capacity
            #expect(after >= 0.95, "seed \(seed): \(after) of capacity")
            #expect(simulation.limit.limit <= 30, "seed \(seed): the limit ends at \(simulation.limit.limit)")
            #expect(simulation.percentile(0.99, from: 65, to: 90) <= 2 * Self.unloaded)
        }
    }

    @Test func `what matters less is given up first`() {
        var simulation = Simulation(seed: 3, load: { _ in 1.3 * Simulation.capacity })
        // A fifth is critical, a half can be had later.
        simulation.priority = { number in
            [
                .critical, .standard, .standard, .sheddable, .sheddable, .sheddable, .sheddable, .sheddable, .critical,
                .standard,
            ][number % 10]
        }
        simulation.run(seconds: 40)
        func refused(_ priority: Priority) -> Double {
            Double(simulation.refused[priority] ?? 0) / Double(simulation.asked[priority] ?? 1)
        }
        #expect(refused(.critical) < 0.02, "\(refused(.critical))")
        #expect(refused(.critical) < refused(.standard) && refused(.standard) < refused(.sheddable))
    }
}
