# db-backup with PostgreSQL's programs. docs/container.md tells what is in it, how large each part is, and how to run it.
#
#   docker build -t db-backup .
#   docker build -t db-backup:17 --build-arg PG_MAJOR=17 --build-arg PG_EXTENSIONS="pgvector postgis-3" .
#
# `scripts/build-image.sh` does the same with version, revision and the time of the last commit, so that the image is reproducible.

# The Node of package-lock.json: a test holds them equal.
ARG NODE_VERSION=24.21.0
ARG DEBIAN_SUITE=trixie

FROM node:${NODE_VERSION}-${DEBIAN_SUITE}-slim AS build
WORKDIR /app
COPY package.json package-lock.json ./
RUN --mount=type=cache,target=/root/.npm npm ci --ignore-scripts --no-audit --no-fund
COPY tsconfig.json tsconfig.build.json ./
COPY scripts/build.mjs scripts/
COPY scripts/image/sbom.mjs scripts/image/
COPY src src
COPY config config
RUN npm run --silent build:kernel && node scripts/build.mjs dist
ARG SOURCE_DATE_EPOCH=0
# What runs, and nothing else: no development packages, no types, source maps or documents of packages.
RUN --mount=type=cache,target=/root/.npm rm -rf node_modules \
 && npm ci --omit=dev --ignore-scripts --prefer-offline --no-audit --no-fund \
 && npm sbom --package-lock-only --omit=dev --sbom-format=cyclonedx | node scripts/image/sbom.mjs > sbom.cdx.json \
 && rm -rf src scripts tsconfig.json tsconfig.build.json node_modules/.package-lock.json node_modules/.bin \
 && find node_modules -type f \( -name '*.d.ts' -o -name '*.d.cts' -o -name '*.d.mts' -o -name '*.map' -o -iname '*.md' -o -name '*.ts' \) -delete \
 && find node_modules -depth -type d \( -name test -o -name tests -o -name docs -o -name dist-types -o -name dist-es \) -path '*node_modules/*' -exec rm -rf {} + \
 && find node_modules -depth -type d -empty -delete \
 && find . -depth -exec touch --no-dereference --date="@$SOURCE_DATE_EPOCH" {} +

FROM debian:${DEBIAN_SUITE}-slim
ARG PG_MAJOR=18
# Where PostgreSQL's packages come from: `pgdg` is PostgreSQL's own repository, with clients of every supported major version; `debian`
# is the repository of the base image, with the versions that it has.
ARG PG_PACKAGES=pgdg
# Extensions for drills, beside those of PostgreSQL's contrib: `pgvector` is the package postgresql-<major>-pgvector.
ARG PG_EXTENSIONS=pgvector
RUN --mount=type=bind,source=scripts/image,target=/run/image /run/image/install-postgresql.sh
COPY --from=build /usr/local/bin/node /usr/local/bin/node
COPY --from=build /app /app
# Any account may run it (`user:`): those of group 0 can write to new volumes. The folders hand their owner on to new volumes.
RUN groupadd --gid 1000 db-backup && useradd --uid 1000 --gid 1000 --no-create-home --home-dir /nonexistent --shell /usr/sbin/nologin db-backup \
 && install -d -o 1000 -g 0 -m 0770 /backups /work \
 && ln -s /app/dist/main.js /usr/local/bin/db-backup && ln -s /app/dist/cli.js /usr/local/bin/backup-manager \
 && rm -f /etc/passwd- /etc/group- /etc/shadow- /etc/gshadow- /var/log/lastlog /var/log/faillog

ENV NODE_ENV=production LANG=C.UTF-8 TZ=UTC PATH=/usr/local/bin:/usr/lib/postgresql/${PG_MAJOR}/bin:/usr/bin:/bin \
    BACKUP_DIR=/backups BACKUP_DIR_MOUNTED=true BACKUP_WORK_DIR=/work TMPDIR=/work
USER 1000:1000
WORKDIR /work
STOPSIGNAL SIGTERM
# Healthy is: there is a backup that is new enough (docs/container.md).
HEALTHCHECK --interval=60s --timeout=30s --start-period=5m --start-interval=5s --retries=2 CMD ["backup-manager", "healthcheck"]
ENTRYPOINT ["/usr/bin/tini", "--"]
CMD ["db-backup"]

ARG VERSION=unknown
ARG REVISION=unknown
ARG CREATED=1970-01-01T00:00:00Z
LABEL org.opencontainers.image.title="db-backup" \
      org.opencontainers.image.description="PostgreSQL backups that prove they restore" \
      org.opencontainers.image.licenses="MIT" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.created="${CREATED}" \
      db-backup.postgresql="${PG_MAJOR}"
