import Hummingbird
import HummingbirdCore
import Logging
import NIOCore
import NIOHTTP1
import NIOHTTPTypes
import NIOHTTPTypesHTTP1

/// HTTP/1.1 between a ``ConnectionGuard`` and a ``RequestGuard``.
struct GuardedChannel: ServerChildChannel, HTTPChannelHandler {
    typealias Value = NIOAsyncChannel<HTTPRequestPart, HTTPResponsePart>

    let responder: HTTPChannelHandler.Responder
    let table: ConnectionTable
    let gatekeeper: Gatekeeper
    let limits: ServerLimits
    let journal: Journal

    func setup(channel: any Channel, logger: Logger) -> EventLoopFuture<Value> {
        channel.eventLoop.makeCompletedFuture {
            guard let connection = table.add(channel) else {
                channel.close(promise: nil)
                throw ChannelError.ioOnClosedChannel
            }
            try channel.syncOptions?.setOption(.socketOption(.so_sndbuf), value: Self.sendBuffer)
            let front = ConnectionGuard(connection, table: table, limits: limits) { [journal] error, request in
                journal.finish(request, status: error.status)
            }
            let pipeline = channel.pipeline.syncOperations
            try pipeline.addHandler(front)
            var decoder = NIOHTTPDecoderLimitConfiguration()
            // The target counts as well.
            decoder.maxHeaderFieldSize = limits.headerBytes + limits.targetBytes
            decoder.maxHeaderListSize = limits.headerBytes + limits.targetBytes
            decoder.maxHeaderFieldCount = limits.headerFields
            try pipeline.configureHTTPServerPipeline(
                withPipeliningAssistance: true, withErrorHandling: false, withOutboundHeaderValidation: true,
                withEncoderConfiguration: .init(), withDecoderLimitConfiguration: decoder)
            try pipeline.addHandler(RequestGuard(front, gatekeeper: gatekeeper, limits: limits))
            try pipeline.addHandler(HTTP1ToHTTPServerCodec(secure: false))
            return try NIOAsyncChannel(
                wrappingChannelSynchronously: channel, configuration: .init(isOutboundHalfClosureEnabled: true))
        }
    }

    /// Bytes that the system is asked to keep for a client that does not read; its own default may grow to megabytes.
    private static let sendBuffer = 256 << 10

    func handle(value: Value, logger: Logger) async { await handleHTTP(asyncChannel: value, logger: logger) }
}
