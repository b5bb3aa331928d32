/** One small question to a server, over node:http: the TLS settings are those of the load. */
import * as http from "node:http";
import * as https from "node:https";

export interface ServerAccess {
  readonly baseUrl: string;
  readonly headers: Readonly<Record<string, string>>;
  /** Accept any TLS certificate. */
  readonly insecure?: boolean;
}

export interface Reply {
  readonly status: number;
  readonly ok: boolean;
  readonly text: string;
}

/** Milliseconds without a byte. */
const PATIENCE = 60_000;

/** GET, or POST of JSON where there is a body. Rejects where no server answers. */
export function ask(
  server: ServerAccess,
  path: string,
  body?: Readonly<Record<string, unknown>> | "",
): Promise<Reply> {
  const url = new URL(server.baseUrl.replace(/\/+$/, "") + path);
  const secure = url.protocol === "https:";
  const text = body === undefined || body === "" ? "" : JSON.stringify(body);
  return new Promise((resolve, reject) => {
    const outgoing = (secure ? https.request : http.request)(
      url,
      {
        method: body === undefined ? "GET" : "POST",
        timeout: PATIENCE,
        headers: {
          ...(text === "" ? {} : { "content-type": "application/json" }),
          "content-length": Buffer.byteLength(text),
          ...server.headers,
        },
        ...(secure ? { rejectUnauthorized: server.insecure !== true } : {}),
      },
      (incoming) => {
        const parts: Buffer[] = [];
        incoming.on("data", (part: Buffer) => parts.push(part));
        incoming.on("error", reject);
        incoming.on("end", () => {
          const status = incoming.statusCode ?? 0;
          const ok = status >= 200 && status < 300;
          resolve({ status, ok, text: Buffer.concat(parts).toString() });
        });
      },
    );
    outgoing.on("timeout", () => outgoing.destroy(new Error("no answer in 60 s")));
    outgoing.on("error", reject);
    outgoing.end(text);
  });
}

/** The body of a good answer; undefined of any other, and where none comes. */
export async function askJson(
  server: ServerAccess,
  path: string,
  body?: Readonly<Record<string, unknown>>,
): Promise<unknown> {
  try {
    const reply = await ask(server, path, body);
    return reply.ok ? (JSON.parse(reply.text) as unknown) : undefined;
  } catch {
    return undefined;
  }
}
