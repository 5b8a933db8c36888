// SPDX-License-Identifier: Apache-2.0

import Foundation
import RateLimiting
import TestSupport

extension HandClock {
    var clock: LimitClock { LimitClock(now: source) }
}

/// Everything that passed, remembered one by one: the truth that windows are measured by.
struct ExactLog {
    let window: Int64
    private var entries: [(time: Int64, cost: Int)] = []
    private var first = 0
    private(set) var total = 0

    init(window: Int64) { self.window = window }

    mutating func roll(to now: Int64) {
        while first < entries.count, entries[first].time <= now - window {
            total -= entries[first].cost
            first += 1
        }
    }

    mutating func add(_ cost: Int, at now: Int64) {
        entries.append((now, cost))
        total += cost
    }
}

/// When requests come and what they cost: at random, in bursts, greedily, or as somebody who knows the slots would.
struct Schedule {
    enum Kind: Int, CaseIterable { case poisson, greedy, bursts, edges, retries }

    private let kind: Kind
    private let limit: Int
    private let window: Int64
    private let costMax: Int
    private let load: Double
    private var random: SeededGenerator
    private var burstLeft = 0

    init(seed: UInt64, limit: Int, window: Int64) {
        var random = SeededGenerator(seed: seed)
        kind = Kind.allCases[Int(random.next() % UInt64(Kind.allCases.count))]
        costMax = [1, 1, 3, max(1, limit)].randomElement(using: &random) ?? 1
        load = Double.random(in: 0.5...4, using: &random)
        (self.limit, self.window) = (limit, window)
        self.random = random
    }

    mutating func cost() -> Int { Int.random(in: 1...min(costMax, limit), using: &random) }

    /// Nanoseconds until the next request; `wait` is what the last answer advised.
    mutating func pause(after wait: Int64) -> Int64 {
        let mean = Double(window) / Double(limit) / load
        switch kind {
        case .poisson: return Int64(-mean * log(Double.random(in: 1e-9..<1, using: &random)))
        case .greedy: return Int64(mean / 4) + 1
        case .bursts, .edges:
            if burstLeft > 0 {
                burstLeft -= 1
                return Int64.random(in: 0...1_000, using: &random)
            }
            burstLeft = limit + Int.random(in: 0...limit, using: &random)
            // Just before the end of a window, or just after.
            let around = kind == .edges ? Int64.random(in: -2...2, using: &random) : 0
            return kind == .edges ? window + around : Int64.random(in: 0...(2 * window), using: &random)
        case .retries: return wait > 0 ? wait : Int64.random(in: 0...Int64(mean), using: &random)
        }
    }
}
