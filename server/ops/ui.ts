/**
 * GET /: the pages, as `vite build server/web` left them in dist/server/web. A
 * closed set of files, read once: what is not among them is a 404 like any other.
 * Off with `--disable-ui`; a server run from its sources without a build has none.
 */
import { createHash } from "node:crypto";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { extname, join } from "node:path";
import { gzipSync } from "node:zlib";
import type { FastifyInstance } from "fastify";
import { projectPath } from "../../models/weights/project-files.ts";

const TYPES: Readonly<Record<string, string>> = {
  ".html": "text/html; charset=utf-8",
  ".js": "text/javascript; charset=utf-8",
  ".css": "text/css; charset=utf-8",
  ".svg": "image/svg+xml",
  ".woff2": "font/woff2",
};

/** The one style element that Observable Plot puts into each chart, word for word. */
export const PLOT_STYLE = "'sha256-jSYQUrW7J0b3jPqhZP9C2Xh1PyJKHKXd4s0fpGGKrww='";

/** Scripts and styles of this server alone; nothing else inline, nothing from elsewhere. */
const POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  `style-src 'self' ${PLOT_STYLE}`,
  // What a chart or table leaves as PNG is drawn from a blob of the page's own.
  "img-src 'self' blob:",
  "font-src 'self'",
  "connect-src 'self'",
  "worker-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join("; ");

interface Page {
  readonly body: Buffer;
  readonly zipped: Buffer;
  readonly etag: string;
  readonly type: string;
}

export function uiRoutes(
  app: FastifyInstance,
  folder = projectPath("dist", "server", "web"),
): void {
  if (!existsSync(join(folder, "index.html"))) return;
  serve(app, "/", read(join(folder, "index.html")), "no-cache");
  for (const name of readdirSync(join(folder, "assets"))) {
    // Their names hold a hash of what is in them.
    const cache = "public, max-age=31536000, immutable";
    serve(app, `/assets/${name}`, read(join(folder, "assets", name)), cache);
  }
}

function read(path: string): Page {
  const body = readFileSync(path);
  const etag = `"${createHash("sha256").update(body).digest("base64url").slice(0, 20)}"`;
  const type = TYPES[extname(path)] ?? "application/octet-stream";
  return { body, zipped: gzipSync(body), etag, type };
}

function serve(app: FastifyInstance, url: string, page: Page, cache: string): void {
  app.get(url, async (request, reply) => {
    reply.headers({
      "cache-control": cache,
      "content-security-policy": POLICY,
      "referrer-policy": "no-referrer",
      "x-content-type-options": "nosniff",
      etag: page.etag,
      vary: "accept-encoding",
    });
    if (request.headers["if-none-match"] === page.etag) return reply.code(304).send();
    reply.type(page.type);
    if (!/\bgzip\b/.test(request.headers["accept-encoding"] ?? "")) return reply.send(page.body);
    return reply.header("content-encoding", "gzip").send(page.zipped);
  });
}
