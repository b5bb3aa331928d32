/**
 * The table of errors: code → status and `type`, as vLLM answers them. The body
 * is `{"error":{"message","type","param","code"}}` with the status as `code`.
 */

import { EncoderBusyError } from "../../models/tokenizer/encoder-process.ts";
import { TextRefusedError } from "../../models/tokenizer/text-limits.ts";

interface ErrorRow {
  readonly status: number;
  readonly type: string;
}

const ERRORS = {
  /** Not JSON, a missing field or a wrong type: found before the meaning is looked at. */
  invalid: { status: 400, type: "Bad Request" },
  /** No text, or nested deeper than Python reads: vLLM's framework answers `{"detail"}` alone. */
  unparsed: { status: 400, type: "Bad Request" },
  /** The shape is right, the meaning is not. */
  "bad-request": { status: 400, type: "BadRequestError" },
  /** As vLLM's /v1/responses says it. */
  "invalid-request": { status: 400, type: "invalid_request_error" },
  "response-not-found": { status: 404, type: "invalid_request_error" },
  timeout: { status: 408, type: "RequestTimeoutError" },
  "not-found": { status: 404, type: "NotFoundError" },
  "too-large": { status: 413, type: "RequestEntityTooLargeError" },
  unprocessable: { status: 422, type: "UnprocessableEntityError" },
  internal: { status: 500, type: "InternalServerError" },
  /** Exists in vLLM, not built here. */
  overloaded: { status: 503, type: "ServiceUnavailableError" },
} as const satisfies Record<string, ErrorRow>;

export type ErrorCode = keyof typeof ERRORS;

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

/** A request that cannot be served, with the answer it gets. */
export class ApiError extends Error {
  readonly code: ErrorCode;
  readonly param: string | null;
  readonly retryAfterSeconds: number | undefined;

  constructor(code: ErrorCode, message: string, details: ErrorDetails = {}) {
    const named = code === "bad-request" && details.bare !== true;
    super(named ? withParameter(message, details) : message, {
      cause: details.cause,
    });
    this.name = "ApiError";
    this.code = code;
    this.param = details.param ?? null;
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
}

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

/** As vLLM answers: addresses and paths of files are taken out, a client's own too. */
function withoutPaths(message: string): string {
  return message
    .replaceAll(/ at 0x[0-9a-fA-F]+>/g, ">")
    .replaceAll(/\n?\s*File "[^"]+", line \d+, in \S+(\n\s+.*)?/g, "")
    .replaceAll(/\/(?:home|usr|opt|var|tmp|root|lib|mnt|srv)(?:\/[\w.-]+)+/g, "<path>")
    .replaceAll(/(?:\/[\w-]+)+\/[\w-]+\.\w+/g, "<path>")
    .trim();
}

function withParameter(message: string, { param, value }: ErrorDetails): string {
  const named = [
    ...(param === undefined ? [] : [`parameter=${param}`]),
    ...(value === undefined ? [] : [`value=${String(value)}`]),
  ];
  return named.length === 0 ? message : `${message} (${named.join(", ")})`;
}
