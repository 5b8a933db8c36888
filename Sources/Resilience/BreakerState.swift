// SPDX-License-Identifier: Apache-2.0

internal import Kernel

/// When a breaker decides that a dependency is not to be asked for a while.
public struct BreakerSettings: Sendable {
    /// What is looked at: the last ten parts of this. Default 10 s. At least twice what a call may take, or calls that are
    /// under way are forgotten before they fail.
    public var window: Duration = .seconds(10)
    /// Calls in the window without which nothing is decided. Default 10.
    public var callsMin = 10
    /// The share of failures at which it opens, 0 to 1. Default 0.5.
    public var failureShare = 0.5
    /// A call that takes longer counts as slow. Default: none does.
    public var slowAfter: Duration?
    /// The share of slow calls at which it opens. Default 0.8.
    public var slowShare = 0.8
    /// How long it stays open; twice as long each time that it opens again at once. Default 5 s.
    public var openTime: Duration = .seconds(5)
    /// Default 60 s.
    public var openTimeMax: Duration = .seconds(60)
    /// Calls that try whether the dependency is back. Default 3.
    public var probes = 3
    /// After so long it is decided by the probes that have answered. Default 10 s; longer than a call may take.
    public var probeTime: Duration = .seconds(10)

    public init() {}
}

/// The rules of a circuit breaker, without clock, lock or call. Times are nanoseconds of a clock that never goes back.
///
/// Closed → open → half-open → closed or open. A half-open breaker lends its probes for a time: what is not back by then is
/// not waited for, so that it cannot stay half-open.
struct BreakerState: Sendable {
    enum Phase: Equatable, Sendable {
        case closed
        case open(until: Int64)
        case halfOpen(until: Int64)
    }

    /// What a call was let in with; what is reported with one of an earlier phase is ignored.
    struct Permit: Sendable {
        fileprivate let generation: Int
    }

    private struct Slot {
        var number: Int64 = -1
        var calls = 0
        var failures = 0
        var slow = 0
    }

    private let settings: BreakerSettings
    private let slotWidth: Int64
    private let slowAfter: Int64
    private(set) var phase = Phase.closed
    private var generation = 0
    private var slots = InlineArray<10, Slot>(repeating: Slot())
    private var openings = 0
    private var lent = 0
    private var succeeded = 0

    init(_ settings: BreakerSettings) {
        self.settings = settings
        slotWidth = max(1, settings.window.wholeNanoseconds / 10)
        slowAfter = settings.slowAfter.map(\.wholeNanoseconds) ?? .max
    }

    /// - Returns: `nil` where the dependency is not to be asked now.
    mutating func admit(_ now: Int64, jitter: @autoclosure () -> Double) -> Permit? {
        passTime(now, jitter)
        switch phase {
        case .closed: return Permit(generation: generation)
        case .open: return nil
        case .halfOpen:
            guard lent + succeeded < settings.probes else { return nil }
            lent += 1
            return Permit(generation: generation)
        }
    }

    mutating func report(
        _ permit: Permit, _ result: Breaker.Judgement, took duration: Int64, _ now: Int64,
        jitter: @autoclosure () -> Double
    ) {
        guard permit.generation == generation else { return }
        passTime(now, jitter)
        guard permit.generation == generation else { return }
        let isSlow = duration > slowAfter
        switch phase {
        case .open: break
        case .closed: if result != .ignored { count(result, isSlow, now, jitter) }
        case .halfOpen:
            lent -= 1
            switch result {
            case .ignored: break
            case .failure: open(now, jitter)
            case .success:
                guard !isSlow else { return open(now, jitter) }
                succeeded += 1
                if succeeded >= settings.probes { close() }
            }
        }
    }

    /// Nanoseconds until it may be asked again; 0 where it may now.
    func wait(_ now: Int64) -> Int64 {
        switch phase {
        case .closed: 0
        case .open(let until), .halfOpen(let until): max(0, until - now)
        }
    }

    private mutating func count(_ result: Breaker.Judgement, _ isSlow: Bool, _ now: Int64, _ jitter: () -> Double) {
        let number = now / slotWidth
        let place = Int(number % 10)
        if slots[place].number != number { slots[place] = Slot(number: number) }
        slots[place].calls += 1
        if result == .failure { slots[place].failures += 1 }
        if isSlow { slots[place].slow += 1 }
        guard result == .failure || isSlow else { return }
        var all = Slot()
        for place in 0..<10 where number - slots[place].number < 10 && slots[place].number >= 0 {
            all.calls += slots[place].calls
            all.failures += slots[place].failures
            all.slow += slots[place].slow
        }
        guard all.calls >= settings.callsMin else { return }
        let isFailing = Double(all.failures) >= settings.failureShare * Double(all.calls)
        let isDragging = Double(all.slow) >= settings.slowShare * Double(all.calls)
        if isFailing || isDragging { open(now, jitter) }
    }

    /// What time alone decides.
    private mutating func passTime(_ now: Int64, _ jitter: () -> Double) {
        switch phase {
        case .closed: break
        case .open(let until):
            guard now >= until else { return }
            phase = .halfOpen(until: now + settings.probeTime.wholeNanoseconds)
            generation += 1
            (lent, succeeded) = (0, 0)
        case .halfOpen(let until):
            guard now >= until else { return }
            // Some were back and well, and none failed; or those who were sent did not come back; or nobody was sent.
            if succeeded > 0 {
                close()
            } else if lent > 0 {
                open(now, jitter)
            } else {
                phase = .halfOpen(until: now + settings.probeTime.wholeNanoseconds)
            }
        }
    }

    private mutating func open(_ now: Int64, _ jitter: () -> Double) {
        let base = Double(settings.openTime.wholeNanoseconds) * Double(1 << min(openings, 20))
        // A fifth less or more, so that processes that opened together do not try together.
        let time = min(base, Double(settings.openTimeMax.wholeNanoseconds)) * (0.8 + 0.4 * jitter())
        phase = .open(until: now + Int64(time))
        openings += 1
        generation += 1
        slots = InlineArray(repeating: Slot())
    }

    private mutating func close() {
        phase = .closed
        openings = 0
        generation += 1
        slots = InlineArray(repeating: Slot())
    }
}
