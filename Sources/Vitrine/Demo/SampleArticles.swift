// SPDX-License-Identifier: Apache-2.0

/// The articles of the sample shop: things for house and table, each in some materials and colours.
enum SampleArticles {
    struct Words {
        let en: String
        let de: String
        let fr: String

        init(_ en: String, _ de: String, _ fr: String) {
            self.en = en
            self.de = de
            self.fr = fr
        }
    }

    struct Category {
        let handle: String
        let parent: String?
        let title: Words
    }

    struct Article {
        let handle: String
        let sku: String
        let title: Words
        let description: Words
        let category: String
        let material: String
        let colour: String
        let sizes: [String]
        let pence: Int
        let grams: Int
    }

    static let categories = [
        Category(handle: "home", parent: nil, title: Words("Home", "Wohnen", "Maison")),
        Category(handle: "textiles", parent: "home", title: Words("Textiles", "Textilien", "Textiles")),
        Category(handle: "lighting", parent: "home", title: Words("Lighting", "Licht", "Luminaires")),
        Category(handle: "storage", parent: "home", title: Words("Storage", "Ordnung", "Rangement")),
        Category(handle: "table", parent: nil, title: Words("Table", "Tisch", "Table")),
        Category(handle: "dishes", parent: "table", title: Words("Dishes", "Geschirr", "Vaisselle")),
        Category(handle: "glasses", parent: "table", title: Words("Glasses", "Gläser", "Verres")),
        Category(handle: "kitchen", parent: nil, title: Words("Kitchen", "Küche", "Cuisine")),
        Category(handle: "baking", parent: "kitchen", title: Words("Baking", "Backen", "Pâtisserie")),
        Category(handle: "tools", parent: "kitchen", title: Words("Tools", "Werkzeug", "Ustensiles")),
        Category(handle: "garden", parent: nil, title: Words("Garden", "Garten", "Jardin")),
        Category(handle: "pots", parent: "garden", title: Words("Pots", "Töpfe", "Pots")),
    ]

    private struct Thing {
        let code: String
        let name: Words
        let category: String
        let materials: [String]
        let sizes: [String]
        let pence: Int
        let grams: Int
    }

    private static let things = [
        Thing(
            code: "CUS", name: Words("cushion", "Kissen", "coussin"), category: "textiles",
            materials: ["linen", "wool", "cotton"], sizes: ["S", "M", "L"], pence: 1_895, grams: 420),
        Thing(
            code: "THR", name: Words("throw", "Decke", "plaid"), category: "textiles", materials: ["wool", "cotton"],
            sizes: ["M", "L"], pence: 4_950, grams: 900),
        Thing(
            code: "TOW", name: Words("towel", "Handtuch", "serviette"), category: "textiles",
            materials: ["linen", "cotton"], sizes: ["S", "M", "L"], pence: 1_250, grams: 300),
        Thing(
            code: "LAM", name: Words("table lamp", "Tischlampe", "lampe de table"), category: "lighting",
            materials: ["brass", "glass", "ceramic"], sizes: ["M"], pence: 8_900, grams: 2_100),
        Thing(
            code: "LAN", name: Words("lantern", "Laterne", "lanterne"), category: "lighting",
            materials: ["brass", "glass"], sizes: ["S", "L"], pence: 2_450, grams: 800),
        Thing(
            code: "CAN", name: Words("candle holder", "Kerzenhalter", "bougeoir"), category: "lighting",
            materials: ["brass", "oak", "ceramic"], sizes: ["S", "M"], pence: 1_190, grams: 350),
        Thing(
            code: "BOX", name: Words("box", "Kiste", "boîte"), category: "storage", materials: ["oak", "willow"],
            sizes: ["S", "M", "L"], pence: 2_200, grams: 1_400),
        Thing(
            code: "BAS", name: Words("basket", "Korb", "panier"), category: "storage", materials: ["willow", "cotton"],
            sizes: ["S", "M", "L"], pence: 1_650, grams: 600),
        Thing(
            code: "HOO", name: Words("coat hook", "Garderobenhaken", "patère"), category: "storage",
            materials: ["brass", "oak"], sizes: ["M"], pence: 990, grams: 200),
        Thing(
            code: "PLA", name: Words("plate", "Teller", "assiette"), category: "dishes", materials: ["ceramic"],
            sizes: ["S", "M", "L"], pence: 950, grams: 480),
        Thing(
            code: "BOW", name: Words("bowl", "Schale", "bol"), category: "dishes", materials: ["ceramic", "oak"],
            sizes: ["S", "M", "L"], pence: 850, grams: 400),
        Thing(
            code: "MUG", name: Words("mug", "Becher", "tasse"), category: "dishes", materials: ["ceramic", "glass"],
            sizes: ["S", "M"], pence: 790, grams: 310),
        Thing(
            code: "TUM", name: Words("tumbler", "Wasserglas", "gobelet"), category: "glasses", materials: ["glass"],
            sizes: ["S", "M"], pence: 650, grams: 220),
        Thing(
            code: "WIN", name: Words("wine glass", "Weinglas", "verre à vin"), category: "glasses",
            materials: ["glass"], sizes: ["M", "L"], pence: 1_100, grams: 180),
        Thing(
            code: "CAR", name: Words("carafe", "Karaffe", "carafe"), category: "glasses",
            materials: ["glass", "ceramic"], sizes: ["M"], pence: 2_300, grams: 700),
        Thing(
            code: "TIN", name: Words("baking tin", "Backform", "moule"), category: "baking",
            materials: ["steel", "ceramic"], sizes: ["S", "M", "L"], pence: 1_350, grams: 650),
        Thing(
            code: "ROL", name: Words("rolling pin", "Nudelholz", "rouleau"), category: "baking", materials: ["oak"],
            sizes: ["M", "L"], pence: 1_150, grams: 500),
        Thing(
            code: "KNI", name: Words("kitchen knife", "Küchenmesser", "couteau"), category: "tools",
            materials: ["steel"], sizes: ["S", "M", "L"], pence: 3_900, grams: 190),
        Thing(
            code: "BOA", name: Words("chopping board", "Schneidebrett", "planche"), category: "tools",
            materials: ["oak"], sizes: ["S", "M", "L"], pence: 2_100, grams: 1_200),
        Thing(
            code: "SPO", name: Words("ladle", "Kelle", "louche"), category: "tools", materials: ["oak", "steel"],
            sizes: ["M"], pence: 720, grams: 130),
        Thing(
            code: "POT", name: Words("flower pot", "Blumentopf", "pot de fleurs"), category: "pots",
            materials: ["ceramic", "willow"], sizes: ["S", "M", "L"], pence: 1_450, grams: 1_100),
        Thing(
            code: "WAT", name: Words("watering can", "Gießkanne", "arrosoir"), category: "garden",
            materials: ["steel", "brass"], sizes: ["S", "L"], pence: 2_750, grams: 950),
    ]

    private static let materials = [
        "linen": Words("Linen", "Leinen", "en lin"), "wool": Words("Wool", "Wolle", "en laine"),
        "cotton": Words("Cotton", "Baumwolle", "en coton"), "brass": Words("Brass", "Messing", "en laiton"),
        "glass": Words("Glass", "Glas", "en verre"), "ceramic": Words("Ceramic", "Keramik", "en céramique"),
        "oak": Words("Oak", "Eiche", "en chêne"), "willow": Words("Willow", "Weide", "en osier"),
        "steel": Words("Steel", "Stahl", "en acier"),
    ]

    private static let colours = [
        ("sand", Words("sand", "Sand", "sable")), ("moss", Words("moss green", "Moosgrün", "vert mousse")),
        ("ink", Words("ink blue", "Tintenblau", "bleu encre")),
        ("chalk", Words("chalk white", "Kreideweiß", "blanc craie")),
        ("rust", Words("rust red", "Rostrot", "rouge rouille")),
        ("slate", Words("slate grey", "Schiefergrau", "gris ardoise")),
        ("plum", Words("plum", "Pflaume", "prune")), ("honey", Words("honey", "Honig", "miel")),
    ]

    /// Every thing in each of its materials and every colour.
    static let all: [Article] = things.flatMap { thing in
        thing.materials.flatMap { material in
            colours.enumerated().compactMap { place, colour in
                materials[material].map { article(thing, material, $0, colour.0, colour.1, place) }
            }
        }
    }

    private static func article(
        _ thing: Thing, _ material: String, _ of: Words, _ colour: String, _ tint: Words, _ place: Int
    ) -> Article {
        let handle = "\(material)-\(thing.name.en.replacing(" ", with: "-"))-\(colour)"
        return Article(
            handle: handle,
            sku: "\(thing.code)-\(material.prefix(3).uppercased())-\(colour.uppercased())",
            title: Words(
                "\(of.en) \(thing.name.en), \(tint.en)", "\(thing.name.de) aus \(of.de), \(tint.de)",
                "\(thing.name.fr.prefix(1).uppercased())\(thing.name.fr.dropFirst()) \(of.fr), \(tint.fr)"),
            description: Words(
                "A \(thing.name.en) of \(of.en.lowercased()) in \(tint.en), made to be used every day.",
                "Aus \(of.de), Farbe \(tint.de), für jeden Tag gemacht.",
                "Fabriqué \(of.fr), couleur \(tint.fr), pour tous les jours."),
            category: thing.category, material: material, colour: colour, sizes: thing.sizes,
            pence: thing.pence + place * 45, grams: thing.grams)
    }
}
