/**
 * What vLLM looks at in a body before its fields: whether they go together.
 * Values are as they came; truth is Python's.
 */
import { badRequest } from "../http/errors.ts";
import { isObject, pyStr, truthy } from "../http/shape/python.ts";
import type { BodyCheck } from "../http/validation.ts";

export const checkStreamOptions: BodyCheck = (body) => {
  if (truthy(body["stream_options"]) && !truthy(body["stream"])) {
    throw badRequest("Stream options can only be defined when `stream=True`.", "stream_options");
  }
};

export const checkResponseFormat: BodyCheck = ({ response_format: format }) => {
  if (!isObject(format)) return;
  if (format["type"] === "structural_tag") {
    const { structures, triggers } = format;
    const legacy = Array.isArray(structures) && Array.isArray(triggers);
    if (legacy || format["format"] !== undefined) return;
    throw badRequest("Invalid response_format structural_tag specification.", "response_format");
  }
  if (format["type"] !== "json_schema") return;
  if (format["json_schema"] === undefined || format["json_schema"] === null) {
    throw badRequest(
      "When response_format type is 'json_schema', the 'json_schema' field must be provided.",
      "response_format",
    );
  }
};

/** vLLM answers 500 to what is no object here. */
export function structuredCount(given: unknown, param?: string): number {
  if (given === undefined || given === null) return 0;
  if (!isObject(given)) {
    throw badRequest("`structured_outputs` must be an object.", "structured_outputs");
  }
  const tag = given["structural_tag"] ?? null;
  if (tag !== null && typeof tag !== "string") {
    throw badRequest(
      "Invalid structured_outputs structural_tag specification.",
      "structured_outputs",
    );
  }
  const count = ["json", "regex", "choice"].filter((kind) => (given[kind] ?? null) !== null).length;
  if (count > 1) {
    throw badRequest(
      "You can only use one kind of constraints for structured outputs ('json', 'regex' or 'choice').",
      param,
    );
  }
  return count;
}

const MAX_SALT = 128;

export const checkCacheSalt: BodyCheck = ({ cache_salt: salt }) => {
  if (salt === undefined || salt === null) return;
  if (typeof salt !== "string" || salt === "") {
    throw badRequest(
      "Parameter 'cache_salt' must be a non-empty string if provided.",
      "cache_salt",
    );
  }
  if (salt.length > MAX_SALT || /[@/\\\0]/.test(salt)) {
    throw badRequest(
      "Parameter 'cache_salt' must be at most 128 characters and must not contain '@', '/', '\\\\', or NUL.",
      "cache_salt",
    );
  }
};

/** A count of log-probabilities, or −1 for all; undefined: none given. */
export function logprobCount(
  body: Readonly<Record<string, unknown>>,
  name: string,
): number | undefined {
  const value = body[name];
  if (value === undefined || value === null) return undefined;
  if (typeof value === "boolean") return Number(value);
  if (typeof value === "number") return value;
  throw badRequest(`\`${name}\` must be an integer.`, name, pyStr(value));
}

export function notBelowAll(name: string, value: number | undefined): void {
  if (value !== undefined && value < 0 && value !== -1) {
    throw badRequest(`\`${name}\` must be a positive value or -1.`, name, pyStr(value));
  }
}

export function checkPromptLogprobs(body: Readonly<Record<string, unknown>>, value?: number): void {
  if (value === undefined) return;
  if (truthy(body["stream"]) && (value > 0 || value === -1)) {
    throw badRequest("`prompt_logprobs` are not available when `stream=True`.", "prompt_logprobs");
  }
  notBelowAll("prompt_logprobs", value);
}

export function notWithBeams(body: Readonly<Record<string, unknown>>): void {
  if (truthy(body["logprob_token_ids"]) && truthy(body["use_beam_search"])) {
    throw badRequest("`logprob_token_ids` is not supported with beam search.", "logprob_token_ids");
  }
}
