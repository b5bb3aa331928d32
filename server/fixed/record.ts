/**
 * Recording (`--record-from`, `--record`): requests go on to another server, its answers
 * come back byte for byte, and what was asked and answered becomes a line for `--matches`.
 * Of headers nothing is written, of a body its model, the user's last text, the names of
 * the tools and a hash: keys go through and stay nowhere.
 */
import { once } from "node:events";
import { appendFile } from "node:fs/promises";
import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import { StatusError } from "../http/status-error.ts";
import { bodyText } from "../http/validation.ts";
import { askedOf } from "./asked.ts";
import { FIXED_ROUTES } from "./hook.ts";
import { readAnswer } from "./read-answer.ts";

/** Answers longer than this go through and are not written. */
const MOST_BYTES = 64 * 2 ** 20;
/** Of one connection alone, or of how a body was carried. */
const HOP_BY_HOP: ReadonlySet<string> = new Set([
  ...["connection", "keep-alive", "proxy-authenticate", "proxy-authorization", "te", "trailer"],
  ...["transfer-encoding", "upgrade", "host", "content-length", "content-encoding"],
  ...["accept-encoding", "expect"],
]);

export interface Recording {
  /** Base address of the other server, with `/v1` or without. */
  readonly from: string;
  readonly file: string;
}

/** For the routes of this scope. */
export function recordAnswers(scope: FastifyInstance, recording: Recording): void {
  /** The last answer written to each request: said again, it is not written again. */
  const written = new Map<string, string>();
  let writing = Promise.resolve();
  const keep = async (line: object, key: string, answer: string): Promise<void> => {
    if (written.get(key) === answer) return;
    written.set(key, answer);
    writing = writing
      .catch(() => {})
      .then(() => appendFile(recording.file, `${JSON.stringify(line)}\n`));
    await writing;
  };
  scope.addHook("preValidation", async (request, reply) => {
    const route = request.routeOptions.url;
    if (request.method !== "POST" || route === undefined || !FIXED_ROUTES.has(route)) return;
    const began = performance.now();
    const { model, user, tools, request: digest } = askedOf(route, request.body, {});
    const told = await forward(recording.from, request, reply);
    if (told === undefined) return reply;
    const answer = readAnswer(route, told);
    if (answer !== undefined) {
      const match = { route, model, user, ...(tools.length > 0 && { tools }), request: digest };
      const ms = Math.round(performance.now() - began);
      const line = { match, answer, recorded: { firstByteMs: told.firstByteMs, ms } };
      await keep(line, digest, JSON.stringify(answer)).catch((err: unknown) => {
        request.log.error({ err }, "an answer was passed on and not recorded");
      });
    } else {
      request.log.warn({ route }, "an answer that cannot be read was not recorded");
    }
    // Who has the whole answer finds it written.
    reply.raw.end();
    return reply;
  });
}

/** All but the end is passed on. Undefined: one of both sides left. Throws StatusError. */
async function forward(from: string, request: FastifyRequest, reply: FastifyReply) {
  const { raw } = reply;
  const left = new AbortController();
  raw.on("close", () => {
    if (!raw.writableFinished) left.abort();
  });
  const began = performance.now();
  let response: Response;
  try {
    response = await fetch(addressOf(from, request.url), {
      method: "POST",
      headers: headersOf(request),
      body: bodyText(request.body) ?? JSON.stringify(request.body),
      signal: left.signal,
      redirect: "manual",
    });
  } catch (error) {
    if (left.signal.aborted) return undefined;
    const cause = (error as Error).cause ?? error;
    const { message, code } = cause as NodeJS.ErrnoException; // fetch throws Errors
    throw new StatusError(502, `--record-from: ${message || code}.`, { cause: error });
  }
  const firstByteMs = Math.round(performance.now() - began);
  const { status } = response;
  reply.hijack();
  const passed = [...response.headers].filter(([name]) => !HOP_BY_HOP.has(name));
  const own = Object.entries(reply.getHeaders()).filter(([, value]) => value !== undefined);
  raw.writeHead(status, Object.fromEntries([...own, ...passed]));
  const bytes = await passOn(response, raw).catch(() => undefined);
  if (bytes === undefined) {
    raw.destroy(); // it broke off there, and so it does here
    return undefined;
  }
  if (bytes.length > MOST_BYTES) return { status, streamed: false, text: "", firstByteMs };
  const streamed = response.headers.get("content-type")?.startsWith("text/event-stream") ?? false;
  return { status, streamed, text: bytes.toString("utf8"), firstByteMs };
}

/** All bytes, or the first of them where they are too many to keep. Rejects where they break off. */
async function passOn(response: Response, raw: FastifyReply["raw"]): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  let length = 0;
  for await (const chunk of response.body ?? []) {
    if (length <= MOST_BYTES) chunks.push(chunk);
    length += chunk.length;
    if (!raw.write(chunk)) await Promise.race([once(raw, "drain"), once(raw, "close")]);
  }
  return Buffer.concat(chunks);
}

function addressOf(from: string, path: string): string {
  const base = from.replace(/\/+$/, "");
  return `${base.endsWith("/v1") && path.startsWith("/v1/") ? base.slice(0, -3) : base}${path}`;
}

function headersOf({ headers }: FastifyRequest): [string, string][] {
  const passed = Object.entries(headers).flatMap(([name, value]): [string, string][] => {
    if (value === undefined || HOP_BY_HOP.has(name)) return [];
    return [value].flat().map((one) => [name, one]);
  });
  return [...passed, ["accept-encoding", "identity"]];
}
