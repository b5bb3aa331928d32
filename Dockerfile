# Build: all dependencies, then dist/.
FROM node:24-bookworm-slim AS build
WORKDIR /app
COPY package.json package-lock.json .npmrc ./
RUN npm ci --no-audit --no-fund
COPY . .
RUN npm run build && npm prune --omit=dev

# Run: sources are not needed, Python neither.
FROM node:24-bookworm-slim
# Whatever is served, it is reachable from outside the container. Weights lie in huge pages.
ENV NODE_ENV=production TRAINYARD_HOST=0.0.0.0 GLIBC_TUNABLES=glibc.malloc.hugetlb=1:glibc.malloc.mmap_threshold=33554432:glibc.malloc.top_pad=67108864
WORKDIR /app
COPY --from=build /app/package.json /app/LICENSE ./
COPY --from=build /app/node_modules ./node_modules
COPY --from=build /app/dist ./dist
COPY --from=build /app/models/bundled ./models/bundled
COPY --from=build /app/models/catalog ./models/catalog
COPY --from=build /app/device/trainium/validation ./device/trainium/validation
USER node
EXPOSE 8000
# Port, scheme and socket are those that the server was started with.
HEALTHCHECK --interval=10s --timeout=5s --start-period=20s \
  CMD ["node", "dist/scripts/cli.js", "health"]
ENTRYPOINT ["node", "--concurrent-recompilation-delay=2", "--max-semi-space-size=32", "--use-largepages=silent", "dist/scripts/cli.js"]
CMD ["serve"]
