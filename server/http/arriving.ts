/**
 * Bodies under way: what each is made of is counted as it arrives. One that stops arriving ends,
 * and all are bounded together.
 */
import type { FastifyRequest } from "fastify";
import { appended } from "../appended.ts";
import { ApiError, badRequest } from "./errors.ts";
import { type JsonLimits, JsonMeter } from "./json-meter.ts";
import { type BodyReader, readBody } from "./message.ts";

export interface ArrivingLimits extends JsonLimits {
  /** Of one body. */
  readonly bytes: number;
  /** Bytes of all bodies under way. */
  readonly underWay: number;
  /** A body of which nothing more arrives for so long ends. */
  readonly idleMs: number;
}

interface Receiving {
  readonly limits: ArrivingLimits;
  readonly held: { bytes: number };
  readonly patience: Patience;
}

interface Told {
  received(bytes: Buffer): void;
  refused(error: ApiError): void;
}

/** Calls back with the bytes of the body; with an error once it has arrived, so that the client reads the answer. */
export function receive({ raw, headers }: FastifyRequest, by: Receiving, told: Told): void {
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
    else if (over !== undefined) this.refuse(overLimit(over));
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
export class Patience {
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

export function overLimit(over: string): ApiError {
  return badRequest(`The request's body ${over}.`);
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
