/**
 * The bodies of requests. What a body is made of is counted as it arrives and bounded
 * by what the model could use; what passes is parsed at once where that is quick, else
 * in a thread. A body that stops arriving ends, and bodies under way are bounded together.
 */
import type { FastifyInstance, FastifyRequest } from "fastify";
import { soon } from "../../models/soon.ts";
import { appended } from "../appended.ts";
import { GuardedThread, ThreadBusyError } from "../guarded-thread.ts";
import type { ParseAnswer } from "./body-thread.ts";
import { ApiError, badRequest } from "./errors.ts";
import { type JsonLimits, JsonMeter } from "./json-meter.ts";
import { type BodyReader, readBody } from "./message.ts";
import { parseBytes } from "./validation.ts";

export interface BodyLimits extends JsonLimits {
  readonly bytes: number;
  /** Entries of these lists, by their names. */
  readonly lists: Readonly<Record<string, number>>;
  /** Bytes of all bodies under way. */
  readonly underWay: number;
  /** A body of which nothing more arrives for so long ends. */
  readonly idleMs: number;
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
  app.removeAllContentTypeParsers();
  app.addContentTypeParser("application/json", (request: FastifyRequest, _payload, done) => {
    const parse = (bytes: Buffer): unknown =>
      bytes.length > LARGE ? parseApart(thread, bytes) : parseBytes(bytes);
    const checked = (body: unknown): unknown => {
      checkLists(body, limits);
      return body;
    };
    const received = (bytes: Buffer): void => {
      let body: unknown;
      try {
        body = soon(parse(bytes), checked);
      } catch (error) {
        done(asError(error));
        return;
      }
      if (body instanceof Promise) body.then((read) => done(null, read), done);
      else done(null, body);
    };
    receive(request, { limits, held, patience }, { received, refused: done });
  });
}

const asError = (error: unknown): Error =>
  error instanceof Error ? error : new Error(String(error));

interface Receiving {
  readonly limits: BodyLimits;
  readonly held: { bytes: number };
  readonly patience: Patience;
}

interface Told {
  received(bytes: Buffer): void;
  refused(error: ApiError): void;
}

/** Calls back with the bytes of the body; with an error once it has arrived, so that the client reads the answer. */
function receive({ raw, headers }: FastifyRequest, by: Receiving, told: Told): void {
  const declared = Number(headers["content-length"] ?? 0);
  if (declared > by.limits.underWay) throw tooLarge(by.limits.bytes);
  const arriving = new Arriving(by, told, raw);
  // What is refused is read to its end and thrown away: a client that writes does not read.
  if (declared > by.limits.bytes) arriving.refuse(tooLarge(by.limits.bytes));
  arriving.read();
}

/** A body under way. */
class Arriving implements BodyReader, Awaited {
  looks = 0;
  place = 0;
  readonly #by: Receiving;
  readonly #told: Told;
  readonly #raw: FastifyRequest["raw"];
  readonly #meter: JsonMeter;
  #chunks: Buffer[] = [];
  #length = 0;
  #refused: ApiError | undefined;
  #stop = (): void => {};

  constructor(by: Receiving, told: Told, raw: FastifyRequest["raw"]) {
    this.#by = by;
    this.#told = told;
    this.#raw = raw;
    this.#meter = new JsonMeter(by.limits);
  }

  read(): void {
    this.#by.patience.wait(this);
    this.#stop = readBody(this.#raw, this);
  }

  refuse(error: ApiError): void {
    this.#refused ??= error;
    this.#by.held.bytes -= this.#length;
    this.#length = 0;
    this.#chunks = [];
  }

  piece(chunk: Buffer): void {
    this.looks = 0;
    if (this.#refused !== undefined) return;
    const { limits, held } = this.#by;
    this.#length += chunk.length;
    held.bytes += chunk.length;
    this.#chunks = appended(this.#chunks, chunk);
    const over = this.#meter.read(chunk);
    if (this.#length > limits.bytes) this.refuse(tooLarge(limits.bytes));
    else if (held.bytes > limits.underWay) this.refuse(tooMany());
    else if (over !== undefined) this.refuse(badRequest(`The request's body ${over}.`));
  }

  end(): void {
    this.#over(this.#refused);
  }

  gone(): void {
    this.#over(badRequest("The client left before its body had arrived."));
  }

  late(): void {
    this.#stop();
    this.#raw.resume();
    const seconds = this.#by.limits.idleMs / 1000;
    this.#over(new ApiError("timeout", `No more of the body came for ${seconds} s.`));
  }

  #over(error: ApiError | undefined): void {
    this.#by.patience.done(this);
    this.#by.held.bytes -= this.#length;
    const chunks = this.#chunks;
    const [first] = chunks;
    if (error !== undefined) this.#told.refused(error);
    // Most bodies come in one piece.
    else if (first !== undefined && chunks.length === 1) this.#told.received(first);
    else this.#told.received(Buffer.concat(chunks, this.#length));
  }
}

/** A body that is awaited. */
interface Awaited {
  /** Looks that found nothing more of it. */
  looks: number;
  /** Its place among all that are. */
  place: number;
  late(): void;
}

/** Looks in the time that a body has. */
const LOOKS = 10;

/**
 * Ends bodies of which nothing more came for a while: one timer looks at all, since nearly every
 * body is there in the turn in which it is first waited for, and no clock is read for those.
 */
class Patience {
  readonly #ms: number;
  readonly #all: Awaited[] = [];
  #timer: NodeJS.Timeout | undefined;

  constructor(ms: number) {
    this.#ms = ms;
  }

  wait(one: Awaited): void {
    one.place = this.#all.length;
    this.#all.push(one);
    this.#timer ??= setInterval(() => this.#look(), Math.ceil(this.#ms / LOOKS)).unref();
  }

  done(one: Awaited): void {
    if (this.#all[one.place] !== one) return;
    const last = this.#all.pop();
    if (last === undefined || last === one) return;
    this.#all[one.place] = last;
    last.place = one.place;
  }

  #look(): void {
    if (this.#all.length === 0) {
      clearInterval(this.#timer);
      this.#timer = undefined;
    }
    for (const one of [...this.#all]) {
      // The first of them may come at once.
      if (one.looks++ === LOOKS) one.late();
    }
  }
}

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

function tooLarge(bytes: number): ApiError {
  return new ApiError(
    "too-large",
    `Request body is larger than ${bytes} bytes; the limit is --max-request-body-bytes.`,
  );
}

function tooMany(): ApiError {
  return new ApiError("overloaded", "Too many large bodies are under way.", {
    retryAfterSeconds: 1,
  });
}
