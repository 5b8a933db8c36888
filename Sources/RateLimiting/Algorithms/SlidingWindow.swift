// SPDX-License-Identifier: Apache-2.0

/// A window that rolls in slots, of which the oldest counts in full: any span of the window's length is covered by the
/// `slots + 1` counters, so that what passed in it is never more than the limit.
///
/// The state is the number of the newest slot, the sum of the counters, the places of the oldest counter that is not zero and
/// of the newest, the newest counter itself, and where the others lie as a ring, in which the newest has a place and is zero.
/// What comes within a slot needs no ring, so that those lie apart. A sum of zero means that all counters are zero.
struct SlidingWindow: Sendable {
    let limit: Int
    /// The ring has one more than the policy has slots.
    let ringCount: Int
    /// Nanoseconds; rounded up to a microsecond, which is what Redis counts in, so that the window is never too short.
    let slotWidth: Int64

    init(limit: Int, window: Int64, slots: Int) {
        self.limit = limit
        ringCount = slots + 1
        let step = Int64(slots) * 1_000
        slotWidth = (window + step - 1) / step * 1_000
    }

    /// Counters of 16 bits hold limits below 65,536.
    static func isNarrow(limit: Int) -> Bool { limit <= UInt16.max }

    static let stateBytes = 24

    static func ringBytes(slots: Int, isNarrow: Bool) -> Int { ((slots + 1) * (isNarrow ? 2 : 4) + 7) & ~7 }

    struct State<Counter: FixedWidthInteger & UnsignedInteger> {
        private let start: UnsafeMutableRawPointer

        init(_ start: UnsafeMutableRawPointer, of counter: Counter.Type) { self.start = start }

        /// The number of the newest slot since the clock's zero.
        var slot: Int64 {
            get { start.load(as: Int64.self) }
            nonmutating set { start.storeBytes(of: newValue, as: Int64.self) }
        }

        var total: Int {
            get { Int(start.load(fromByteOffset: 8, as: UInt32.self)) }
            nonmutating set { start.storeBytes(of: UInt32(newValue), toByteOffset: 8, as: UInt32.self) }
        }

        /// The place of the oldest counter that is not zero.
        var oldest: Int {
            get { Int(start.load(fromByteOffset: 12, as: UInt16.self)) }
            nonmutating set { start.storeBytes(of: UInt16(newValue), toByteOffset: 12, as: UInt16.self) }
        }

        var newest: Int {
            get { Int(start.load(fromByteOffset: 14, as: UInt16.self)) }
            nonmutating set { start.storeBytes(of: UInt16(newValue), toByteOffset: 14, as: UInt16.self) }
        }

        /// What counts in the newest slot.
        var current: Int {
            get { Int(start.load(fromByteOffset: 16, as: UInt32.self)) }
            nonmutating set { start.storeBytes(of: UInt32(newValue), toByteOffset: 16, as: UInt32.self) }
        }

        var ring: UnsafeMutablePointer<Counter> {
            (start + Int(start.load(fromByteOffset: 20, as: UInt32.self)) * 8).assumingMemoryBound(to: Counter.self)
        }

        /// Says where the ring lies, which is behind the state and a multiple of eight bytes away.
        func set(ring: UnsafeMutableRawPointer) {
            start.storeBytes(of: UInt32((ring - start) / 8), toByteOffset: 20, as: UInt32.self)
        }

        subscript(place: Int) -> Int { place == newest ? current : Int(ring[place]) }
    }

    /// What is overdrawn beyond this is not remembered.
    private static let totalMax = 4_000_000_000

    private func after(_ place: Int) -> Int { place + 1 == ringCount ? 0 : place + 1 }

    /// Lets go of what is older than the window. A clock that another thread read earlier counts as the newest slot.
    @inline(__always)
    func roll<Counter>(_ state: State<Counter>, _ now: Int64) {
        let slot = now / slotWidth
        let last = state.slot
        guard slot > last else { return }
        state.slot = slot
        guard state.total > 0 else { return }
        advance(state, by: slot - last)
    }

    private func advance<Counter>(_ state: State<Counter>, by slots: Int64) {
        let ring = state.ring
        guard slots < Int64(ringCount) else {
            ring.update(repeating: 0, count: ringCount)
            (state.total, state.current) = (0, 0)
            return
        }
        var place = state.newest
        ring[place] = Counter(state.current)
        state.current = 0
        var freed = 0
        for _ in 0..<slots {
            place = after(place)
            freed += Int(ring[place])
            ring[place] = 0
        }
        state.newest = place
        state.total -= freed
        findOldest(state)
    }

    private func findOldest<Counter>(_ state: State<Counter>) {
        guard state.total > 0 else { return }
        var place = state.oldest
        while state[place] == 0 { place = after(place) }
        state.oldest = place
    }

    func fits<Counter>(_ state: State<Counter>, _ cost: Int) -> Bool { state.total + cost <= limit }

    /// Adds to the newest slot, beyond the limit if need be.
    /// - Returns: the number of the slot.
    func add<Counter>(_ state: State<Counter>, _ cost: Int) -> Int64 {
        let place = state.newest
        if state.total == 0 { state.oldest = place }
        let added = min(cost, Int(Counter.max) - state.current, Self.totalMax - state.total)
        state.current += added
        state.total += added
        return state.slot
    }

    /// Takes back what was added to `slot`, if it still counts.
    func remove<Counter>(_ state: State<Counter>, _ cost: Int, from slot: Int64) {
        let age = Int(clamping: state.slot - slot)
        guard age >= 0, age < ringCount else { return }
        let place = state.newest >= age ? state.newest - age : state.newest - age + ringCount
        let removed = min(cost, state[place])
        if age == 0 { state.current -= removed } else { state.ring[place] -= Counter(removed) }
        state.total -= removed
        findOldest(state)
    }

    /// Slots between the newest and the oldest in use.
    private func age<Counter>(_ state: State<Counter>) -> Int {
        let difference = state.newest - state.oldest
        return difference >= 0 ? difference : difference + ringCount
    }

    /// Nanoseconds until some of what is used becomes free.
    func waitForAny<Counter>(_ state: State<Counter>, _ now: Int64) -> Int64 {
        (state.slot + Int64(ringCount - age(state))) * slotWidth - now
    }

    /// Nanoseconds until `units` of what is used have become free; of more than that, until all has.
    func wait<Counter>(_ state: State<Counter>, for units: Int, _ now: Int64) -> Int64 {
        var place = state.oldest
        var age = age(state)
        var freed = 0
        while true {
            freed += state[place]
            if freed >= units || age == 0 { return (state.slot + Int64(ringCount - age)) * slotWidth - now }
            place = after(place)
            age -= 1
        }
    }

    func available<Counter>(_ state: State<Counter>) -> Int { max(0, limit - state.total) }

    func isIdle<Counter>(_ state: State<Counter>, _ now: Int64) -> Bool {
        state.total == 0 || now / slotWidth - state.slot >= Int64(ringCount)
    }
}
