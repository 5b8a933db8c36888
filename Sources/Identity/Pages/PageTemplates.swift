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

    private let library: MustacheLibrary
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
        var library = MustacheLibrary()
        MustacheContentTypes.register(Markup(), named: Markup.name)
        for (file, bytes) in files where file.hasSuffix(".mustache") {
            let text = "{{% CONTENT_TYPE:\(Markup.name)}}" + String(decoding: bytes, as: UTF8.self)
            do {
                try library.register(text, named: String(file.dropLast(".mustache".count)))
            } catch let error as MustacheTemplate.ParserError {
                throw Failure(
                    .misconfigured,
                    "\(file), line \(error.context.lineNumber): \(error.error) at “\(error.context.line)”.")
            }
        }
        self.library = library
        style = files["pages.css"] ?? []
        stylePath = "/oauth/style-\(RandomText.text(SHA256.hash(data: style).prefix(6))).css"
    }

    /// A page of `values`, by the template that they name.
    func document(_ values: any PageValues, shop: String) -> HTML {
        let frame = Frame(shop: shop, style: stylePath, page: values)
        return HTML(stringLiteral: library.render(frame, withTemplate: values.template) ?? "")
    }

    /// What every page can name, and the page's own.
    private struct Frame {
        let shop: String
        let style: String
        let page: any PageValues
    }

    /// The library's own way to escape goes by characters as people count them, and so passes over a quotation mark that a
    /// combining mark follows, which closes an attribute all the same.
    private struct Markup: MustacheContentType {
        static let name = "MARKUP"
        func escapeText(_ text: String) -> String { ("\(text)" as HTML).text }
    }
}

/// What a template can name: each stored property by its name. One that is `nil` is shown as nothing, and is no section.
protocol PageValues: Sendable {
    var template: String { get }
}
