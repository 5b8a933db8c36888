// SPDX-License-Identifier: Apache-2.0

import Kernel
import Testing

@testable import Web

private struct Pet: WireBody, Equatable {
    let name: String
    let age: Int
    let tags: [String]
    let price: Money?

    static let schema = Schema.object(
        "Pet", Pet.init,
        .required("name", \.name, .string(1...10)), .required("age", \.age, .integer(0...150)),
        .standard("tags", \.tags, .array(of: .string(1...5), countMax: 3), []), .optional("price", \.price, .price))
}

struct SchemaTests {
    private func decode(_ text: String) throws -> (Pet?, [String: String]) {
        var decoding = Decoding()
        let pet = Pet.schema.decode(try JSON.parse(text.utf8), &decoding)
        return (pet, Dictionary(decoding.errors.map { ($0.pointer, $0.code) }) { first, _ in first })
    }

    @Test func `a whole body is read, and what may be missing has its default`() throws {
        let (pet, errors) = try decode(#"{"name":"Rex","age":3,"price":null}"#)
        #expect(pet == Pet(name: "Rex", age: 3, tags: [], price: nil))
        #expect(errors.isEmpty)
    }

    @Test func `two and nothing is an integer`() throws {
        let (pet, _) = try decode(#"{"name":"Rex","age":2.0}"#)
        #expect(pet?.age == 2)
    }

    @Test(arguments: [
        (#"{}"#, ["#/name": "required", "#/age": "required"]),
        (#"{"name":"","age":-1}"#, ["#/name": "too_short", "#/age": "range"]),
        (#"{"name":"a name too long","age":3.5}"#, ["#/name": "too_long", "#/age": "range"]),
        (#"{"name":1,"age":"3","x/y~z":0}"#, ["#/name": "type", "#/age": "type", "#/x~1y~0z": "unknown_field"]),
        (#"{"name":"a","age":1e2}"#, ["#/age": "range"]),
        // Eleven code points, six characters.
        (#"{"name":"e\u0301e\u0301e\u0301e\u0301e\u0301e","age":1}"#, ["#/name": "too_long"]),
        (#"{"name":"a","age":99999999999999999999}"#, ["#/age": "range"]),
        (#"{"name":"a","age":1,"tags":["ok","",7]}"#, ["#/tags/1": "too_short", "#/tags/2": "type"]),
        (#"{"name":"a","age":1,"tags":["a","b","c","d"]}"#, ["#/tags": "too_many"]),
        (#"{"name":"a","age":1,"price":{"amount":-1,"currency":"GBP"}}"#, ["#/price": "range"]),
        (#"{"name":"a","age":1,"price":{"amount":1,"currency":"XXX"}}"#, ["#/price/currency": "unknown_value"]),
        (#"{"name":"a","age":1,"price":{"amount":1,"decimal":"2.00","currency":"GBP"}}"#, ["#/price": "contradiction"]),
        (#"{"name":"a\u0000","age":1}"#, ["#/name": "control_character"]),
        (#"[]"#, ["#": "type"]),
    ])
    func `every fault is named with its place`(text: String, faults: [String: String]) throws {
        let (pet, errors) = try decode(text)
        #expect(pet == nil)
        #expect(errors == faults)
    }

    @Test func `a body full of faults does not become an answer full of faults`() throws {
        let members = (0..<5_000).map { "\"f\($0)\":1" }.joined(separator: ",")
        var decoding = Decoding()
        _ = Pet.schema.decode(try JSON.parse("{\(members)}".utf8), &decoding)
        #expect(decoding.errors.count == 20)
    }

    @Test func `what is written can be read again`() throws {
        let pet = Pet(name: "É\"\\", age: 0, tags: ["a"], price: Money(decimal: "0.095", .gbp))
        var writer = JSONWriter()
        Pet.schema.encode(pet, &writer, .all)
        let (read, _) = try decode(String(decoding: writer.bytes, as: UTF8.self))
        #expect(read == pet)
    }

    @Test func `a selection shows the fields that were asked for, and only those`() throws {
        let pet = Pet(name: "Rex", age: 3, tags: [], price: try Money(minorUnits: 5, .gbp))
        func written(_ fields: String) -> String {
            var writer = JSONWriter()
            Pet.schema.encode(pet, &writer, FieldSelection(fields))
            return String(decoding: writer.bytes, as: UTF8.self)
        }
        #expect(written("age,price.amount") == #"{"age":3,"price":{"amount":5}}"#)
        #expect(written("price,price.amount") == #"{"price":{"amount":5,"currency":"GBP"}}"#)
        #expect(FieldSelection("age,colour").unknownName(in: Pet.schema.form) == "colour")
        #expect(FieldSelection("price.colour").unknownName(in: Pet.schema.form) == "price.colour")
    }
}
