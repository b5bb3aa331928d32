/** A hub on loopback that speaks as huggingface.co does, and misbehaves as it is told. */
import { createHash } from "node:crypto";
import { once } from "node:events";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

export const COMMIT = "0123456789abcdef0123456789abcdef01234567";

/** Bytes of a file that are sent at once. */
export const PIECE = 1 << 16;

export interface HubFaults {
  /** Bytes of a large file after which the connection is cut, once for each of them. */
  cutAfter?: number[];
  /** Large files are served in pieces with a pause between, in milliseconds. */
  pause?: number;
  /** Once so many bytes of a large file were sent, nothing more comes until its client leaves. */
  holdAt?: number;
  /** Added to the size that is promised of large files. */
  lie?: number;
  /** Large files come with another byte than was promised. */
  spoil?: boolean;
  /** Files are found at this other address. */
  redirect?: string;
  /** Who does not bring it is refused. */
  token?: string;
  /** Ranges are not heard. */
  deaf?: boolean;
}

export class LoopbackHub {
  readonly faults: HubFaults = {};
  /** Bytes of files that were sent. */
  sent = 0;
  /** Authorization headers of requests for files. */
  readonly tokens: (string | undefined)[] = [];
  readonly #files: ReadonlyMap<string, Uint8Array>;
  readonly #server = createServer((request, response) => void this.#answer(request, response));

  /** Files above 15,000 bytes are large: listed by their SHA-256. */
  constructor(files: Readonly<Record<string, Uint8Array | string>>) {
    this.#files = new Map(
      Object.entries(files).map(([path, data]) => [path, new Uint8Array(Buffer.from(data))]),
    );
  }

  async open(): Promise<string> {
    await new Promise<void>((resolve) => this.#server.listen(0, "127.0.0.1", resolve));
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  close(): Promise<void> {
    this.#server.closeAllConnections();
    return new Promise((resolve) => void this.#server.close(() => resolve()));
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { pathname } = new URL(request.url ?? "/", "http://hub");
    const { token, redirect } = this.faults;
    const json = (status: number, value: unknown): void => {
      response.writeHead(status, { "content-type": "application/json" });
      response.end(JSON.stringify(value));
    };
    if (token !== undefined && request.headers.authorization !== `Bearer ${token}`)
      return json(401, { error: "Invalid credentials" });
    const [, revision] = /^\/api\/models\/some\/model\/revision\/(.+)$/.exec(pathname) ?? [];
    if (revision !== undefined)
      return revision === "main" || revision === "v1"
        ? json(200, { _id: "1", id: "some/model", sha: COMMIT, private: false, gated: false })
        : json(404, { error: "Revision not found" });
    if (pathname === `/api/models/some/model/tree/${COMMIT}`) return json(200, this.#tree());
    const [, path] = /^\/(?:mirror\/)?some\/model\/resolve\/\w+\/(.+)$/.exec(pathname) ?? [];
    const data = this.#files.get(decodeURIComponent(path ?? ""));
    if (data === undefined) return json(404, { error: "Not found" });
    this.tokens.push(request.headers.authorization);
    if (redirect !== undefined && !pathname.startsWith("/mirror/")) {
      response.writeHead(302, { location: `${redirect}/mirror${pathname}` });
      response.end();
      return;
    }
    await this.#send(data, request, response);
  }

  #tree(): unknown[] {
    return [...this.#files].map(([path, data]) => {
      const sha1 = createHash("sha1").update(`blob ${data.length}\0`).update(data).digest("hex");
      const size = data.length + (data.length > 15_000 ? (this.faults.lie ?? 0) : 0);
      const sha256 = createHash("sha256").update(data).digest("hex");
      return {
        type: "file",
        path,
        size,
        oid: sha1,
        ...(data.length > 15_000 && { lfs: { oid: sha256, size, pointerSize: 130 } }),
      };
    });
  }

  async #send(data: Uint8Array, request: IncomingMessage, response: ServerResponse): Promise<void> {
    const large = data.length > 15_000;
    const { faults } = this;
    const [, from] = /^bytes=(\d+)-$/.exec(request.headers.range ?? "") ?? [];
    const begin = faults.deaf ? 0 : Number(from ?? 0);
    const body = Uint8Array.from(data.subarray(begin));
    if (large && faults.spoil && body.length > 0) body[body.length - 1] = (body.at(-1) ?? 0) ^ 1;
    const end = large ? (faults.cutAfter?.shift() ?? body.length) : body.length;
    response.writeHead(begin > 0 ? 206 : 200, { "content-length": body.length });
    for (let at = 0; at < end; at += PIECE) {
      if (large && at >= (faults.holdAt ?? Number.POSITIVE_INFINITY)) {
        await once(response, "close");
        return;
      }
      const piece = body.subarray(at, Math.min(at + PIECE, end));
      this.sent += piece.length;
      if (!response.write(piece)) {
        await new Promise<void>((resolve) => {
          const go = (): void => {
            response.off("drain", go).off("close", go);
            resolve();
          };
          response.once("drain", go).once("close", go);
        });
      }
      if (large && faults.pause !== undefined)
        await new Promise((resolve) => setTimeout(resolve, faults.pause));
      if (response.destroyed) return;
    }
    if (end >= body.length) {
      response.end();
      return;
    }
    // What was written arrives before the end does.
    await new Promise((resolve) => setTimeout(resolve, 100));
    response.destroy();
  }
}
