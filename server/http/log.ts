/** pino: JSON lines for machines, one readable line each on a terminal. */
import type { FastifyBaseLogger } from "fastify";
import { type Level, type LogFn, type Logger, pino } from "pino";

export function createLogger(level: string): Logger {
  const options = { level, base: null };
  if (!process.stdout.isTTY) return pino(options);
  return pino(options, { write: (line: string) => process.stdout.write(readable(line)) });
}

/** A server's log as one request has it, with its id: most requests say nothing, so a child is made for a line. */
export class RequestLog implements FastifyBaseLogger {
  readonly #server: FastifyBaseLogger;
  readonly #reqId: string;

  constructor(server: FastifyBaseLogger, reqId: string) {
    this.#server = server;
    this.#reqId = reqId;
  }

  get level(): string {
    return this.#server.level;
  }

  get trace(): LogFn {
    return this.#at("trace");
  }

  get debug(): LogFn {
    return this.#at("debug");
  }

  get info(): LogFn {
    return this.#at("info");
  }

  get warn(): LogFn {
    return this.#at("warn");
  }

  get error(): LogFn {
    return this.#at("error");
  }

  get fatal(): LogFn {
    return this.#at("fatal");
  }

  get silent(): LogFn {
    return this.#at("silent");
  }

  child(...[bindings, options]: Parameters<FastifyBaseLogger["child"]>): FastifyBaseLogger {
    return this.#server.child({ reqId: this.#reqId, ...bindings }, options);
  }

  #at(level: Level | "silent"): LogFn {
    const own = this.child({});
    return own[level].bind(own);
  }
}

/** Not shown on a terminal: pino's own, and what the message has said already. */
const HIDDEN: ReadonlySet<string> = new Set([
  "level",
  "time",
  "msg",
  "reqId",
  "err",
  "start",
  "load",
]);

/** `12:30:01 WARN message key=value …`; the text of an error below it. */
export function readable(line: string): string {
  const entry = JSON.parse(line) as Record<string, unknown>; // pino's own line
  const level = pino.levels.labels[Number(entry["level"])] ?? "info";
  const time = new Date(Number(entry["time"])).toTimeString().slice(0, 8);
  const fields = Object.entries(entry)
    .filter(([key]) => !HIDDEN.has(key))
    .map(([key, value]) => `${key}=${typeof value === "object" ? JSON.stringify(value) : value}`)
    .map(printable);
  const name = level === "info" ? "" : `${level.toUpperCase()} `;
  const { stack, message } = (entry["err"] ?? {}) as { stack?: string; message?: string };
  const below = stack ?? message;
  const text = [`${time} ${name}${printable(String(entry["msg"] ?? ""))}`, ...fields].join(" ");
  if (below === undefined) return `${text}\n`;
  // Set off, so that no line of it can pass for another entry.
  const lines = below.split(/\r\n|\r|\n/).map((each) => `    ${printable(each)}`);
  return `${text}\n${lines.join("\n")}\n`;
}

/** Line ends, escapes of terminals and marks of direction as `\\u….`: clients choose ids. */
function printable(text: string): string {
  return text.replace(
    /[\p{Cc}\u2028\u2029\u200e\u200f\u202a-\u202e\u2066-\u2069]/gu,
    (one) => `\\u${one.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
}
