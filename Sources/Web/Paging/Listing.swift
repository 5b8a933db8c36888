// SPDX-License-Identifier: Apache-2.0

package import Kernel

/// One page of a list, with what else the client asked for beside the elements.
package struct Listing<Item: WireBody>: Sendable {
    let page: Page<Item>
    let facets: Facets?
    let language: String?

    package init(_ page: Page<Item>, facets: Facets? = nil, language: String? = nil) {
        self.page = page
        self.facets = facets
        self.language = language
    }

    /// The page as OpenAPI shows it.
    static var form: SchemaForm {
        var name = "Page"
        if case .object(let item) = Item.schema.form { name = item.name + "Page" }
        func link(_ name: String, _ about: String) -> FieldForm {
            FieldForm(
                name: name, form: .string(StringForm(format: "uri")), isRequired: false, isNullable: false,
                standard: nil, about: about)
        }
        return .object(
            ObjectForm(
                name: name,
                fields: [
                    FieldForm(
                        name: "items", form: .array(Item.schema.form, counts: 0...PageLimits.largest), isRequired: true,
                        isNullable: false, standard: nil, about: "The elements, in the order asked for."),
                    link("self", "This page."), link("first", "The first page."),
                    link("next", "The following page; missing on the last, which is the only sign of the end."),
                    link("prev", "The preceding page; missing on the first."),
                    FieldForm(
                        name: "facets", form: Facets.schema.form, isRequired: false, isNullable: false, standard: nil,
                        about: "How many elements have which value, where asked for."),
                    FieldForm(
                        name: "facets_counted", form: FacetsCounted.schema.form, isRequired: false, isNullable: false,
                        standard: nil, about: "What `facets` are counts of."),
                ]))
    }
}

package enum PageLimits {
    package static let standard = 20
    package static let largest = 100
}

/// How many elements of a whole list have which value, by attribute.
package struct Facets: WireBody {
    package struct Count: WireBody {
        let value: String
        let count: Int

        package init(value: String, count: Int) {
            self.value = value
            self.count = count
        }

        package static let schema = Schema.object(
            "FacetCount", Count.init,
            .required("value", \.value, .string()), .required("count", \.count, .count))
    }

    let counts: [String: [Count]]
    let counted: FacetsCounted

    /// `elements` tells how many were counted, `isComplete` whether that is the whole list.
    package init(counts: [String: [Count]], elements: Int, isComplete: Bool) {
        self.counts = counts
        counted = FacetsCounted(elements: elements, isComplete: isComplete)
    }

    package static let schema = Schema<Facets>(
        form: .map(.array(Count.schema.form, counts: 0...100), names: StringForm(lengths: 0...10_000), countMax: 100),
        decode: { _, _ in nil },
        encode: { value, writer, selection in
            let map = Schema<[String: [Count]]>.map(of: .array(of: Count.schema), names: .string())
            map.encode(value.counts, &writer, selection)
        })
}

/// How much of a list its facets tell of.
struct FacetsCounted: WireBody {
    let elements: Int
    let isComplete: Bool

    static let schema = Schema.object(
        "FacetsCounted", FacetsCounted.init,
        .required("elements", \.elements, .count, "So many elements were counted, the newest that match."),
        .required("complete", \.isComplete, .boolean, "Whether there are no more than these."))
}

extension Listing {
    func response(call: Call, input: RequestInput, operationID: String) -> WireResponse {
        let links = links(call: call, input: input, operationID: operationID)
        var json = JSONWriter(reservingCapacity: 8_192)
        json.beginObject()
        json.name("items")
        json.beginArray()
        for item in page.elements { Item.schema.encode(item, &json, call.selection) }
        json.endArray()
        for (relation, url) in links {
            json.name(relation)
            json.string(url)
        }
        if let facets {
            json.name("facets")
            Facets.schema.encode(facets, &json, FieldSelection.all)
            json.name("facets_counted")
            FacetsCounted.schema.encode(facets.counted, &json, FieldSelection.all)
        }
        json.endObject()
        // The body is what people read; the header serves clients that know web linking (RFC 8288) and not our bodies.
        let header = links.filter { $0.relation != "self" }.map { "<\($0.url)>; rel=\"\($0.relation)\"" }
        var headers = [
            HeaderField("Content-Type", "application/json"), HeaderField("ETag", EntityTag.weak(body: json.bytes)),
            HeaderField("Link", header.joined(separator: ", ")),
        ]
        if let language { headers.append(HeaderField("Content-Language", language)) }
        return WireResponse(status: 200, headers: headers, body: json.bytes)
    }

    private func links(
        call: Call, input: RequestInput, operationID: String
    ) -> [(relation: String, url: String)] {
        let binding = operationID + " " + input.listAddress
        func url(_ cursor: String?) -> String {
            var query = input.query.filter { $0.name != "cursor" }
            if let cursor { query.append(("cursor", cursor)) }
            let text = query.map { PercentEncoding.encode($0.name) + "=" + PercentEncoding.encode($0.value) }
            return call.services.baseURL + input.path + (text.isEmpty ? "" : "?" + text.joined(separator: "&"))
        }
        func cursor(_ position: PagePosition) -> String { call.services.cursors.encode(position, binding: binding) }
        var links = [("self", url(input.query.first { $0.name == "cursor" }?.value)), ("first", url(nil))]
        if let next = page.next { links.append(("next", url(cursor(next)))) }
        if let previous = page.previous { links.append(("prev", url(cursor(previous)))) }
        return links.map { (relation: $0.0, url: $0.1) }
    }
}
