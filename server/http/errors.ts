/** An error that a client is told of: a row of the table (error-table.ts), a message, the field at fault. */

import { EncoderBusyError } from "../../models/tokenizer/encoder-process.ts";
import { TextRefusedError } from "../../models/tokenizer/text-limits.ts";
import { ERRORS, type ErrorCode } from "./error-table.ts";
import { shorten } from "./shape/shorten.ts";

export interface ErrorBody {
  readonly error: {
    readonly message: string;
    readonly type: string;
    readonly param: string | null;
    readonly code: number;
  };
}

export interface ErrorDetails {
  /** Field at fault; named in `param`. */
  readonly param?: string;
  /** The message stays without ` (parameter=…)`, as some of vLLM's do. */
  readonly bare?: boolean;
  /** Given value; a bad request's message ends in ` (parameter=…, value=…)`, as vLLM's does. */
  readonly value?: unknown;
  readonly retryAfterSeconds?: number;
  readonly cause?: unknown;
}

/** A request that cannot be served, with the answer it gets; a message is told up to 20,000 characters, a parameter up to 1,024. */
export class ApiError extends Error {
  readonly code: ErrorCode;
  readonly param: string | null;
  readonly retryAfterSeconds: number | undefined;

  constructor(code: ErrorCode, message: string, details: ErrorDetails = {}) {
    const named = code === "bad-request" && details.bare !== true;
    super(shorten(named ? withParameter(message, details) : message, LONGEST_MESSAGE), {
      cause: details.cause,
    });
    this.name = "ApiError";
    this.code = code;
    this.param = details.param === undefined ? null : shorten(details.param, LONGEST_PARAM);
    this.retryAfterSeconds = details.retryAfterSeconds;
  }

  get status(): number {
    return ERRORS[this.code].status;
  }

  get body(): ErrorBody {
    const { status, type } = ERRORS[this.code];
    return {
      error: { message: withoutPaths(this.message), type, param: this.param, code: status },
    };
  }

  /** What is sent; a route may have a form of its own for `body`. */
  answer(form?: (error: ApiError) => object): object | string | undefined {
    switch (ERRORS[this.code].body) {
      case "detail":
        return { detail: this.message };
      case "text":
        return { error: this.message };
      case "plain":
        return this.message;
      case "none":
        return undefined;
      case "error":
        return form?.(this) ?? this.body;
    }
  }
}

/** Characters: what is longer quotes what a client sent, who would have it back, in the log and in the history. */
export const LONGEST_MESSAGE = 20_000;
const LONGEST_PARAM = 1_024;

/** Shorthand of the commonest one. */
export function badRequest(message: string, param?: string, value?: unknown): ApiError {
  return new ApiError("bad-request", message, {
    ...(param !== undefined && { param }),
    ...(value !== undefined && { value }),
  });
}

/** A field that vLLM has and this server does not: 400, since routers take workers out for 5xx. */
export function notImplemented(field: string, where = ""): ApiError {
  return new ApiError("bad-request", `The field \`${field}\` is not supported${where}.`, {
    param: field,
  });
}

/** A field that asks for what only a sampler over logits can give. */
export function notSampled(field: string): ApiError {
  return notImplemented(
    field,
    " here: ids are not drawn from logits (see --values; with words also --tokenizer)",
  );
}

/** What a client is told of an exception: the message of ours, nothing of a bug's. */
export function toApiError(error: unknown): ApiError {
  if (error instanceof ApiError) return error;
  if (error instanceof TextRefusedError) return new ApiError("bad-request", error.message);
  if (error instanceof EncoderBusyError) {
    return new ApiError("overloaded", error.message, { retryAfterSeconds: 1, cause: error });
  }
  return new ApiError("internal", "Internal server error", { cause: error });
}

/**
 * As vLLM answers: addresses and paths of files are taken out, a client's own too. No pattern
 * looks at a place again from each that comes before it.
 */
function withoutPaths(message: string): string {
  return message
    .replaceAll(/ at 0x[0-9a-fA-F]+>/g, ">")
    .replaceAll(/(?<!\s)\s*File "[^"]+", line \d+, in \S+(\n\s+.*)?/g, "")
    .replaceAll(/\/(?:home|usr|opt|var|tmp|root|lib|mnt|srv)(?:\/[\w.-]+)+/g, "<path>")
    .replaceAll(/(?:\/[\w-]+){2,}(\.\w+)?/g, (path, ending?: string) => (ending ? "<path>" : path))
    .trim();
}

function withParameter(message: string, { param, value }: ErrorDetails): string {
  const named = [
    ...(param === undefined ? [] : [`parameter=${param}`]),
    ...(value === undefined ? [] : [`value=${String(value)}`]),
  ];
  return named.length === 0 ? message : `${message} (${named.join(", ")})`;
}
