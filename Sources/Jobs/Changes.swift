// SPDX-License-Identifier: Apache-2.0

package import Kernel

/// What of a thing is another now, for those who have to say later what was done.
package enum Changes {
    /// The members that differ: `{"tier": {"before": "standard", "after": "trusted"}}`. One that is missing is `null`.
    package static func between(_ before: JSON, _ after: JSON) -> JSON {
        let names = (before.members ?? []).map(\.name) + (after.members ?? []).map(\.name).filter { before[$0] == nil }
        return .object(
            names.compactMap { name in
                let (old, new) = (before[name] ?? .null, after[name] ?? .null)
                return old == new ? nil : .init(name, ["before": old, "after": new])
            })
    }
}
