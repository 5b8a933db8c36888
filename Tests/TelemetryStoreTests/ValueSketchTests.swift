// SPDX-License-Identifier: Apache-2.0

import TestSupport
import Testing

@testable import TelemetryStore

struct ValueSketchTests {
    @Test(arguments: [-1e300...1e300, -1...1, 0...1e-300, 5...5, -1_000_000 ... -10], [1, 2, 1_000])
    func `what is read from it is near what it was told`(range: ClosedRange<Double>, count: Int) {
        var random = SeededGenerator(seed: 5)
        var (sketch, values) = (ValueSketch(), [Double]())
        for _ in 0..<count {
            let value = Double.random(in: range, using: &random)
            sketch.add(value)
            values.append(value)
        }
        values.sort()
        for share in [0, 0.01, 0.5, 0.9, 0.99, 1] {
            let exact = values[max(0, Int((share * Double(count)).rounded(.up)) - 1)]
            #expect((sketch.quantile(share) - exact).magnitude <= exact.magnitude * 0.032 + .leastNonzeroMagnitude)
        }
        #expect(sketch.least == values.first && sketch.largest == values.last && sketch.count == count)
    }

    @Test func `zero, and nothing`() {
        var sketch = ValueSketch()
        #expect(sketch.quantile(0.5).isNaN)
        for value in [0.0, -0.0, 1, -1] { sketch.add(value) }
        #expect(sketch.quantile(0.5) == 0 && sketch.quantile(0.25) == -1 && sketch.quantile(1) == 1)
    }
}
