// SPDX-License-Identifier: Apache-2.0

/// A histogram as buckets with upper bounds, each counting what is not above its bound.
struct ClassicHistogram {
    typealias Bucket = (bound: Double, count: Double)

    /// Ascending, each bound once, the last one infinite; empty where that cannot be had.
    private let buckets: [Bucket]

    init(_ found: [Bucket]) {
        var merged: [Bucket] = []
        for bucket in found.sorted(by: { $0.bound < $1.bound }) {
            if merged.last?.bound == bucket.bound {
                merged[merged.count - 1].count += bucket.count
            } else {
                merged.append(bucket)
            }
        }
        // What is scraped at different moments may not add up: no bucket holds less than the one below.
        var most = -Double.infinity
        for place in merged.indices {
            most = max(most, merged[place].count)
            merged[place].count = most
        }
        buckets = merged.count >= 2 && merged.last?.bound == .infinity ? merged : []
    }

    /// Taken to be spread evenly within a bucket.
    func quantile(_ rank: Double) -> Double {
        if rank.isNaN { return .nan }
        if rank < 0 { return -.infinity }
        if rank > 1 { return .infinity }
        guard let observed = buckets.last?.count, observed > 0 else { return .nan }
        var rank = rank * observed
        let place = buckets.dropLast().firstIndex { $0.count >= rank } ?? buckets.count - 1
        if place == buckets.count - 1 { return buckets[place - 1].bound }
        if place == 0, buckets[0].bound <= 0 { return buckets[0].bound }
        var (start, count) = (0.0, buckets[place].count)
        if place > 0 {
            start = buckets[place - 1].bound
            count -= buckets[place - 1].count
            rank -= buckets[place - 1].count
        }
        return start + (buckets[place].bound - start) * (rank / count)
    }

    /// The share of what was observed between two values.
    func fraction(_ lower: Double, _ upper: Double) -> Double {
        guard let observed = buckets.last?.count, observed > 0, !lower.isNaN, !upper.isNaN else { return .nan }
        if lower >= upper { return 0 }
        return (rank(of: upper) - rank(of: lower)) / observed
    }

    /// How many are not above `value`.
    private func rank(of value: Double) -> Double {
        var (bound, count) = (buckets[0].bound > 0 ? 0 : -Double.infinity, 0.0)
        for bucket in buckets {
            if value < bucket.bound {
                if bound == -.infinity || bucket.bound == .infinity { return count }
                return count + (bucket.count - count) * max(0, (value - bound) / (bucket.bound - bound))
            }
            (bound, count) = (bucket.bound, bucket.count)
        }
        return count
    }
}
