/**
 * The bodies of requests. What a body is made of is counted as it arrives (arriving.ts) and
 * bounded by what the model could use; what passes is parsed at once where that is quick, else
 * in a thread.
 */
import type { FastifyInstance, FastifyRequest } from "fastify";
import { soon } from "../../models/soon.ts";
import { GuardedThread, ThreadBusyError } from "../guarded-thread.ts";
import { type ArrivingLimits, overLimit, Patience, receive } from "./arriving.ts";
import type { ParseAnswer } from "./body-thread.ts";
import { decoded, encodingOf } from "./encoding.ts";
import { ApiError, badRequest } from "./errors.ts";
import { JsonMeter } from "./json-meter.ts";
import { parseBytes } from "./validation.ts";

export interface BodyLimits extends ArrivingLimits {
  /** Entries of these lists, by their names. */
  readonly lists: Readonly<Record<string, number>>;
}

/** A recursive reader of ours or a client's manages more; schemas in use have some dozens. */
const DEPTH = 1_000;
/** Together these are parsed and checked in some 100 ms. */
const MAX_VALUES = 1_000_000;
const MAX_KEYS = 50_000;
/** Of prompts in one request: VLLM_MAX_COMPLETION_PROMPTS. */
const PROMPTS = 1_024;
/** What no model's length bounds: schemas, metadata. */
const FREE = 20_000;
/** Keys of one message, with its parts and calls. */
const KEYS_A_MESSAGE = 8;
/** A tool's name and brackets alone are as many tokens. */
const TOKENS_A_TOOL = 8;
const MAX_TOOLS = 2_048;
/** Bytes above which a body is parsed in a thread: what is no JSON takes longest. */
const LARGE = 2 ** 19;
/** Bytes of all bodies under way. */
const MAX_UNDER_WAY = 512 * 2 ** 20;
const IDLE_MS = 20_000;
const PARSE_LIMITS = { timeLimitMs: 5_000, quickMs: 5_000, maxWaiting: 64 };

interface ServedSize {
  readonly maxModelLen: number;
  readonly vocabSize: number;
  /** Texts in a request that have a context each; absent: they share one. */
  readonly texts?: number;
}

/** What a model of so long a context and so many ids could use. */
export function bodyLimits(
  bytes: number,
  { maxModelLen, vocabSize, texts = 0 }: ServedSize,
): BodyLimits {
  const tools = Math.max(1, Math.min(MAX_TOOLS, Math.floor(maxModelLen / TOKENS_A_TOOL)));
  return {
    bytes,
    depth: DEPTH,
    values: Math.min(MAX_VALUES, Math.max(PROMPTS, texts) * maxModelLen + vocabSize + FREE),
    keys: Math.min(MAX_KEYS, KEYS_A_MESSAGE * maxModelLen + FREE),
    lists: {
      ...{ messages: maxModelLen, tools },
      ...{ input: Math.max(maxModelLen, texts), documents: Math.max(maxModelLen, texts) },
    },
    underWay: MAX_UNDER_WAY,
    idleMs: IDLE_MS,
  };
}

/** JSON only, whatever a client says it sends; errors as vLLM prints them. */
export function readBodies(app: FastifyInstance, limits: BodyLimits): void {
  const thread = new GuardedThread<Uint8Array, ParseAnswer>(
    "./body-thread",
    import.meta.url,
    PARSE_LIMITS,
  );
  const held = { bytes: 0 };
  const patience = new Patience(limits.idleMs);
  app.addHook("onClose", () => thread.close());
  refuseUntyped(app);
  app.removeAllContentTypeParsers();
  app.addContentTypeParser("*", (request: FastifyRequest, _payload, done) => {
    if (takesBody(request)) done(new ApiError("invalid", NOT_JSON));
    else passOver(request, done);
  });
  app.addContentTypeParser("application/json", (request: FastifyRequest, _payload, done) => {
    if (!takesBody(request)) {
      passOver(request, done);
      return;
    }
    const parse = (bytes: Buffer): unknown =>
      bytes.length > LARGE ? parseApart(thread, bytes) : parseBytes(bytes);
    const checked = (body: unknown): unknown => {
      checkLists(body, limits);
      return body;
    };
    const received = (bytes: Buffer): void => {
      let body: unknown;
      try {
        checkWide(bytes, limits);
        body = soon(parse(bytes), checked);
      } catch (error) {
        done(asError(error));
        return;
      }
      if (!(body instanceof Promise)) {
        done(null, body);
        return;
      }
      // Who left meanwhile is asked nothing any more: the response's 'close' came, and comes once.
      body.then((read) => {
        if (!request.raw.socket.destroyed) done(null, read);
      }, done);
    };
    receive(request, { limits, held, patience }, { received, refused: done });
  });
}

const NOT_JSON =
  "1 validation error:\n  Unsupported Media Type: Only 'application/json' is allowed";

/** What has no body and tells no type is of no type that is read. */
function refuseUntyped(app: FastifyInstance): void {
  app.addHook("preValidation", (request, _reply, done) => {
    const untyped = request.body === undefined && request.headers["content-type"] === undefined;
    if (untyped && request.method !== "GET" && takesBody(request))
      done(new ApiError("invalid", NOT_JSON));
    else done();
  });
}

function takesBody(request: FastifyRequest): boolean {
  const route = request.record?.route;
  return route === undefined ? !request.is404 : route.takesBody;
}

/** Where none is looked at any may come, as in vLLM: `curl -d ''` calls it a form. */
function passOver({ raw }: FastifyRequest, done: (error: null, body?: unknown) => void): void {
  raw.resume();
  done(null);
}

const asError = (error: unknown): Error =>
  error instanceof Error ? error : new Error(String(error));

async function parseApart(
  thread: GuardedThread<Uint8Array, ParseAnswer>,
  bytes: Buffer,
): Promise<unknown> {
  let answer: ParseAnswer;
  try {
    answer = await thread.run(bytes);
  } catch (error) {
    const busy = error instanceof ThreadBusyError;
    const message = error instanceof Error ? error.message : String(error);
    throw busy
      ? new ApiError("overloaded", message, { retryAfterSeconds: 1, cause: error })
      : badRequest(`The request's body was not parsed: ${message}.`);
  }
  if (answer.ok) return answer.body;
  const { code, message, param } = answer;
  throw new ApiError(code, message, param === null ? {} : { param });
}

/** What arrived was counted as UTF-8. */
function checkWide(bytes: Buffer, limits: BodyLimits): void {
  const encoding = encodingOf(bytes);
  if (encoding === "utf-8") return;
  const over = new JsonMeter(limits).read(Buffer.from(decoded(bytes, encoding) ?? ""));
  if (over !== undefined) throw overLimit(over);
}

function checkLists(body: unknown, { lists }: BodyLimits): void {
  if (typeof body !== "object" || body === null) return;
  for (const name in lists) {
    const most = lists[name] ?? 0;
    const list = (body as Readonly<Record<string, unknown>>)[name]; // an object by the line above
    if (Array.isArray(list) && list.length > most) {
      throw badRequest(
        `\`${name}\` has ${list.length} entries; at most ${most} fit the model's context.`,
        name,
      );
    }
  }
}
