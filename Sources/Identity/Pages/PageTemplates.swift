// SPDX-License-Identifier: Apache-2.0

internal import Crypto
internal import Foundation
internal import Kernel
internal import Mustache
internal import Web

/// How the pages look on which people sign in and say what an app may do: a template for each page and one style sheet. A shop
/// may replace any of them with its own.
package struct PageTemplates: Sendable {
    /// The built-in files by their names, as a beginning for a shop's own.
    package static let files: [String: [UInt8]] = [
        "account.mustache": PackageResources.account_mustache,
        "consent.mustache": PackageResources.consent_mustache,
        "device-consent.mustache": PackageResources.device_consent_mustache,
        "device.mustache": PackageResources.device_mustache,
        "form-token.mustache": PackageResources.form_token_mustache,
        "layout.mustache": PackageResources.layout_mustache,
        "message.mustache": PackageResources.message_mustache,
        "new-password.mustache": PackageResources.new_password_mustache,
        "pages.css": PackageResources.pages_css,
        "password-link.mustache": PackageResources.password_link_mustache,
        "present-password.mustache": PackageResources.present_password_mustache,
        "recovery-codes.mustache": PackageResources.recovery_codes_mustache,
        "refused.mustache": PackageResources.refused_mustache,
        "second-factor.mustache": PackageResources.second_factor_mustache,
        "sign-in-code.mustache": PackageResources.sign_in_code_mustache,
        "sign-in.mustache": PackageResources.sign_in_mustache,
        "sign-up.mustache": PackageResources.sign_up_mustache,
        "trouble.mustache": PackageResources.trouble_mustache,
        "wishes.mustache": PackageResources.wishes_mustache,
    ]

    private let templates: MustacheLibrary
    /// The one file that pages load.
    let style: [UInt8]
    /// Its address, which changes with it, so that it can be kept.
    let stylePath: String

    /// As they come with the program.
    package static let builtIn: PageTemplates = {
        do { return try PageTemplates(files: files) } catch { preconditionFailure("A built-in page: \(error)") }
    }()

    /// Those in `directory` in place of the built-in ones of the same names.
    ///
    /// - Parameter directory: where the shop's own files are.
    /// - Throws: `Failure` with `misconfigured` for a file that cannot be read, is no part of the pages, or is no template.
    package init(directory: String) throws {
        var files = Self.files
        do {
            for name in try FileManager.default.contentsOfDirectory(atPath: directory).sorted() {
                guard !name.hasPrefix(".") else { continue }
                guard files[name] != nil else {
                    let known = files.keys.sorted().joined(separator: ", ")
                    throw Failure(.misconfigured, "\(directory)/\(name) is no part of the pages, which are \(known).")
                }
                files[name] = Array(try Data(contentsOf: URL(filePath: directory + "/" + name)))
            }
        } catch let failure as Failure {
            throw failure
        } catch {
            throw Failure(.misconfigured, "The pages in \(directory) cannot be read: \(error.localizedDescription)")
        }
        do {
            try self.init(files: files)
        } catch let failure as Failure {
            throw Failure(failure.code, "\(directory)/\(failure.message)")
        }
    }

    private init(files: [String: [UInt8]]) throws {
        var (library, texts) = (MustacheLibrary(), [String: String]())
        for (file, bytes) in files where file.hasSuffix(".mustache") {
            texts[String(file.dropLast(".mustache".count))] = String(decoding: bytes, as: UTF8.self)
        }
        MustacheContentTypes.register(Markup(), named: Markup.name)
        for (name, text) in texts {
            do {
                try library.register(Markup.pragma + text, named: name)
            } catch let error as MustacheTemplate.ParserError {
                let (number, line) = (error.context.lineNumber, error.context.line)
                let shown = line.hasPrefix(Markup.pragma) ? String(line.dropFirst(Markup.pragma.count)) : line
                throw Failure(.misconfigured, "\(name).mustache, line \(number): \(error.error) at “\(shown)”.")
            }
        }
        try Self.check(texts)
        templates = library
        style = files["pages.css"] ?? []
        stylePath = "/oauth/style-\(RandomText.text(SHA256.hash(data: style).prefix(6))).css"
    }

    /// What the library would show as nothing, or never come to an end of.
    private static func check(_ texts: [String: String]) throws {
        func check(_ name: String, within outer: [String]) throws {
            guard !outer.contains(name) else {
                throw Failure(.misconfigured, "\(name).mustache is a part of itself: \(outer.joined(separator: ", ")).")
            }
            for part in (texts[name] ?? "").matches(of: #/\{\{\s*[><]\s*([^\s}]*)\s*\}\}/#).map({ String($0.1) }) {
                guard texts[part] != nil else {
                    throw Failure(.misconfigured, "\(name).mustache names \(part), which is no part of the pages.")
                }
                try check(part, within: outer + [name])
            }
        }
        for (name, text) in texts {
            try check(name, within: [])
            guard !text.contains("<form") || text.contains(#/\{\{\s*(>\s*form-token|formToken)\s*\}\}/#) else {
                throw Failure(
                    .misconfigured, "\(name).mustache has a form without {{>form-token}}, which would not be taken.")
            }
        }
    }

    /// A page of `values`, by the template that they name.
    func document(_ values: any PageValues, shop: String) -> HTML {
        let frame = Frame(shop: shop, style: stylePath, values: values)
        return HTML(stringLiteral: templates.render(frame, withTemplate: values.template) ?? "")
    }

    /// What every page can name, and the page's own.
    private struct Frame: MustacheParent {
        let shop: String
        let style: String
        let values: any PageValues

        func child(named name: String) -> Any? {
            switch name {
            case "shop": return shop
            case "style": return style
            default:
                let value = Mirror(reflecting: values).children.first { $0.label == name }?.value
                let mirror = value.map { Mirror(reflecting: $0) }
                return mirror?.displayStyle == .optional ? mirror?.children.first?.value : value
            }
        }
    }

    /// The library's own way to escape goes by characters as people count them, and so passes over a quotation mark that a
    /// combining mark follows, which closes an attribute all the same.
    private struct Markup: MustacheContentType {
        static let name = "MARKUP"
        static let pragma = "{{% CONTENT_TYPE:\(name)}}"

        func escapeText(_ text: String) -> String { ("\(text)" as HTML).text }
    }
}

/// What a template can name: each stored property by its name. One that is `nil` is shown as nothing, and is no section.
protocol PageValues: Sendable {
    var template: String { get }
}
