// SPDX-License-Identifier: Apache-2.0

internal import Foundation
internal import HTTPTypes
internal import Hummingbird
internal import Kernel
internal import NIOCore

/// How an API says why there is no answer.
struct Dialect: Sendable {
    let failure: @Sendable (APIError) -> [UInt8]
    var failureType = "application/json"

    static let prometheus = Dialect(failure: PrometheusAnswers.failure)
    static let jaeger = Dialect(failure: JaegerAnswers.failure)
    static let jaeger3 = Dialect(failure: JaegerAnswers.failure3)
    static let loki = Dialect(failure: LokiAnswers.failure, failureType: "text/plain; charset=utf-8")

    func response(_ error: APIError) -> Response {
        Self.response(error.status, failure(error), type: failureType)
    }

    static func response(_ status: Int, _ body: [UInt8], type: String = "application/json") -> Response {
        Response(
            status: .init(code: status), headers: [.contentType: type],
            body: .init(byteBuffer: ByteBuffer(bytes: body)))
    }
}

/// What is asked.
struct Question: Sendable {
    let headers: HTTPFields
    /// What stands in the address itself: a label, a service or a trace.
    let subject: String
    let parameters: Parameters
    /// Whether nobody waits for the answer any more.
    let isCancelled: @Sendable () -> Bool
}

extension ObservatoryServer {
    typealias Answer = @Sendable (Question) throws -> [UInt8]

    /// Answers at a path, in which `:subject` may stand, on a thread for queries. `type` is what the answer is.
    func mount(
        _ path: String, on router: Router<BasicRequestContext>, _ dialect: Dialect, isPosted: Bool = false,
        type: String = "application/json", _ answer: @escaping Answer
    ) {
        let handler: @Sendable (Request, BasicRequestContext) async throws -> Response = { request, context in
            let subject = context.parameters.get("subject")?.removingPercentEncoding ?? ""
            return await guarded(request) { await ask(request, subject, dialect, type, answer) }
        }
        router.get("\(path)", use: handler)
        if isPosted { router.post("\(path)", use: handler) }
    }

    private func ask(
        _ request: Request, _ subject: String, _ dialect: Dialect, _ type: String, _ answer: @escaping Answer
    ) async -> Response {
        do {
            var parameters = Parameters()
            parameters.add(request.uri.query ?? "")
            if request.method == .post {
                let body = try await request.body.collect(upTo: Self.bodyBytesMax)
                parameters.add(String(buffer: body))
            }
            let asked = try parameters.duration("timeout").map { Duration.milliseconds($0) }
            let limit = min(asked ?? settings.queryTimeout, settings.queryTimeout)
            let (given, headers) = (parameters, request.headers)
            let caller = ObservatoryAccess.caller(of: headers)
            let body = try await threads.run(of: caller, within: limit) { isCancelled in
                try answer(
                    Question(headers: headers, subject: subject, parameters: given, isCancelled: isCancelled))
            }
            return Dialect.response(200, body, type: type)
        } catch let error as APIError {
            return dialect.response(error)
        } catch let error as Failure where error.code == .overloaded {
            var response = dialect.response(.overloaded(error.message))
            response.headers[.retryAfter] = "1"
            return response
        } catch let error as Failure {
            return dialect.response(.unavailable(error.message))
        } catch is CancellationError {
            return dialect.response(.timeout("The query took too long. Ask about less."))
        } catch {
            return dialect.response(.badData("the request cannot be read: \(error)"))
        }
    }
}
