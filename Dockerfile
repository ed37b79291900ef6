# One image, one binary: the compose file starts it once per role.
# The first two stages need the network, for npm's packages and for crates; the last holds the binary and what it links.

FROM node:22-bookworm-slim AS web
WORKDIR /web
COPY web/package.json web/package-lock.json ./
RUN npm ci --no-audit --no-fund
COPY web ./
RUN npm run build

FROM rust:1-bookworm AS build
WORKDIR /src
COPY . .
COPY --from=web /web/build web/build
ENV SQLX_OFFLINE=true
RUN cargo build --release --locked --package referee-cli

FROM debian:bookworm-slim
RUN apt-get update \
    && apt-get install -y --no-install-recommends ca-certificates curl \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --system --uid 10001 --home-dir /var/lib/referee --create-home referee \
    && install -d -o referee -g referee /var/lib/referee/objects /var/lib/referee/image-cache
COPY --from=build /src/target/release/referee /usr/local/bin/referee
USER referee
ENTRYPOINT ["referee"]
CMD ["--help"]
