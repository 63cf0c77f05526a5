# minke and its server in a small image: no shell, and not as root.
#
#   docker build -t minke .
#   docker run --rm -p 127.0.0.1:8080:8080 -v "$PWD/models:/models:ro" -e MINKE_API_KEY=… \
#     minke serve /models/whale --host 0.0.0.0
#
# The key is needed because inside of the container the server listens on all addresses.

FROM swift:6.2-bookworm AS build
WORKDIR /src
# Dependencies first: they are built again only when their versions change.
COPY Package.swift Package.resolved* ./
RUN swift package resolve
COPY Sources Sources
COPY Tests Tests
# The Swift runtime is linked into the programs; what they need of the system is glibc and libstdc++.
RUN swift build -c release --static-swift-stdlib --product minke \
 && swift build -c release --static-swift-stdlib --product minke-server \
 && mkdir /out \
 && cp "$(swift build -c release --static-swift-stdlib --show-bin-path)"/minke \
       "$(swift build -c release --static-swift-stdlib --show-bin-path)"/minke-server /out/ \
 && strip /out/minke /out/minke-server

# glibc, libgcc and libstdc++, no shell, no package manager; the user "nonroot" has number 65532.
FROM gcr.io/distroless/cc-debian12:nonroot
COPY --from=build /out/minke /out/minke-server /usr/local/bin/
VOLUME /models
EXPOSE 8080
USER nonroot
# SIGTERM drains: streams under way finish, within the time that --drain-seconds gives them.
STOPSIGNAL SIGTERM
ENTRYPOINT ["/usr/local/bin/minke"]
CMD ["serve", "--help"]
