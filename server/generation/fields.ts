/**
 * The fields that chat and text completions share: shapes only, as the schema
 * that validates, the type and /openapi.json. Ranges are checked in
 * generation/params.ts in vLLM's words. Fields not named here are accepted and
 * ignored, as in vLLM.
 */
import { type Static, type TSchema, Type } from "typebox";
import { oneConstraint } from "../grammar/fields.ts";
import { badRequest } from "../http/errors.ts";
import { PyNumber, pyStr } from "../http/shape/python.ts";
import { AFTER, BEFORE } from "../http/shape/schema.ts";

export function optional<T extends TSchema>(schema: T) {
  return Type.Optional(schema);
}

export function nullable<T extends TSchema>(schema: T) {
  return Type.Optional(Type.Union([schema, Type.Null()]));
}

const text = Type.String();
const integer = Type.Integer();
const int64 = Type.Integer({ format: "int64" });
const exactInt64 = Type.Unsafe<number | bigint>({ ...int64, "x-exact": true });
const number = Type.Number();
const boolean = Type.Boolean();
const object = Type.Record(Type.String(), Type.Unknown());

/** Characters: it stands in every chunk of a stream. */
export const LONGEST_ID = 1_024;
export const requestId = Type.String({ maxLength: LONGEST_ID });

const streamOptions = Type.Object({
  include_usage: nullable(boolean),
  continuous_usage_stats: nullable(boolean),
});

const responseFormat = Type.Unsafe<{ readonly type: string }>(
  Type.Union([
    Type.Object({
      type: Type.Enum(["text", "json_object", "json_schema"]),
      json_schema: nullable(
        Type.Object({
          name: text,
          description: nullable(text),
          schema: nullable(object),
          strict: nullable(boolean),
        }),
      ),
    }),
    Type.Object({ type: Type.Literal("structural_tag"), format: Type.Unknown() }),
    Type.Object({
      type: Type.Literal("structural_tag"),
      structures: Type.Array(Type.Object({ begin: text, schema: nullable(object), end: text })),
      triggers: Type.Array(text),
    }),
  ]),
);

const structuredOutputs = Type.Object(
  {
    json: nullable(Type.Union([text, object])),
    regex: nullable(text),
    choice: nullable(Type.Array(text)),
    grammar: nullable(text),
    json_object: nullable(boolean),
    disable_any_whitespace: optional(boolean),
    disable_additional_properties: optional(boolean),
    whitespace_pattern: nullable(text),
    structural_tag: nullable(text),
  },
  { title: "StructuredOutputsParams", "x-model": "dataclass", [AFTER]: oneConstraint },
);

const repetitionDetection = Type.Object(
  {
    max_pattern_size: optional(integer),
    min_pattern_size: optional(integer),
    min_count: optional(integer),
  },
  { title: "RepetitionDetectionParams", "x-model": "dataclass", [AFTER]: checkRepetition },
);

function checkRepetition(value: unknown): void {
  const given = value as Readonly<Record<string, number | undefined>>; // of the shape above
  const { max_pattern_size: most = 0, min_pattern_size: least = 0, min_count: count = 0 } = given;
  if (most < 0 || least < 0 || least > most) {
    throw badRequest(
      "max_pattern_size, min_pattern_size must be >=0, with min_pattern_size <= max_pattern_size. Set both to 0 to disable repetitive pattern detection.",
    );
  }
  if (most > 0 && count < 2) {
    throw badRequest(
      "min_count must be >= 2 to detect repetitive patterns in engine output. If you do not wish to detect repetitive patterns, set max_pattern_size to 0.",
    );
  }
}

const scalar = Type.Union([text, integer, number, Type.Array(Type.Union([text, integer, number]))]);

function thinkingBudget(value: unknown): unknown {
  const given = value instanceof PyNumber && !value.float ? value.value : value;
  if (given === null || (typeof given === "number" && Number.isInteger(given) && given >= -1)) {
    return value;
  }
  throw badRequest(
    "`thinking_token_budget` must be a non-negative integer or -1 for unlimited.",
    "thinking_token_budget",
    pyStr(value),
  );
}

/**
 * Fields that chat and text completions share, in no order: each endpoint lists
 * its own in vLLM's order, which is the order in which errors are reported.
 */
export const fields = {
  model: nullable(text),
  n: nullable(integer),
  temperature: nullable(number),
  top_p: nullable(number),
  top_k: nullable(integer),
  min_p: nullable(number),
  frequency_penalty: nullable(number),
  presence_penalty: nullable(number),
  repetition_penalty: nullable(number),
  watermarking: nullable(boolean),
  length_penalty: optional(number),
  logit_bias: nullable(Type.Record(Type.String(), number)),
  allowed_token_ids: nullable(Type.Array(integer)),
  bad_words: optional(Type.Array(text)),
  seed: nullable(exactInt64),
  stop: nullable(Type.Union([text, Type.Array(text, { maxItems: 4 })])), // VLLM_MAX_STOP_STRINGS
  stop_token_ids: nullable(Type.Array(integer)),
  include_stop_str_in_output: optional(boolean),
  ignore_eos: optional(boolean),
  min_tokens: optional(integer),
  skip_special_tokens: optional(boolean),
  spaces_between_special_tokens: optional(boolean),
  prompt_logprobs: nullable(integer),
  logprob_token_ids: nullable(Type.Array(integer)),
  truncate_prompt_tokens: nullable(Type.Integer({ format: "int64", minimum: -1 })),
  truncation_side: nullable(Type.Enum(["left", "right"])),
  stream: nullable(boolean),
  stream_options: nullable(streamOptions),
  response_format: nullable(responseFormat),
  structured_outputs: nullable(structuredOutputs),
  add_special_tokens: optional(boolean),
  priority: optional(int64),
  request_id: optional(requestId),
  session_id: nullable(text),
  cache_salt: nullable(Type.String({ minLength: 1, maxLength: 1024 })),
  return_tokens_as_token_ids: nullable(boolean),
  return_token_ids: nullable(boolean),
  routed_experts_prompt_start: optional(Type.Integer({ minimum: 0 })),
  return_token_offsets: nullable(boolean),
  mm_payload: optional(Type.Enum(["tensors", "none"])),
  return_mm_kwargs: nullable(boolean),
  stream_interval: nullable(Type.Integer({ minimum: 1 })),
  user: nullable(text),
  use_beam_search: optional(boolean),
  kv_transfer_params: nullable(object),
  ec_transfer_params: nullable(object),
  vllm_xargs: nullable(Type.Record(Type.String(), scalar)),
  repetition_detection: nullable(repetitionDetection),
  thinking_token_budget: Type.Optional(
    Type.Union([integer, Type.Null()], { [BEFORE]: thinkingBudget }),
  ),
};

/** Honoured though vLLM took them out: it ignores them without a word to the client. */
export const guidedFields = {
  guided_json: Type.Optional(Type.Unknown()),
  guided_regex: nullable(text),
  guided_choice: nullable(Type.Array(text)),
  guided_grammar: nullable(text),
  guided_json_object: nullable(boolean),
};

const sharedObject = Type.Object({ ...fields, ...guidedFields });
/** What both endpoints know. */
export type SharedFields = Static<typeof sharedObject>;

/** Those of them that decide how ids are drawn. */
export const SAMPLING_FIELDS = [
  "n",
  "temperature",
  "top_p",
  "top_k",
  "min_p",
  "frequency_penalty",
  "presence_penalty",
  "repetition_penalty",
  "logit_bias",
  "allowed_token_ids",
  "bad_words",
  "seed",
  "stop",
  "stop_token_ids",
  "include_stop_str_in_output",
  "ignore_eos",
  "min_tokens",
  "skip_special_tokens",
  "spaces_between_special_tokens",
  "prompt_logprobs",
  "logprob_token_ids",
  "truncate_prompt_tokens",
  "truncation_side",
] as const;

type SamplingName = (typeof SAMPLING_FIELDS)[number];

export type SamplingFields = Pick<SharedFields, SamplingName>;

/** The others. */
export type RequestFields = Omit<SharedFields, SamplingName>;

/** Fields that have no effect in vLLM either: never reported as ignored. */
export const WITHOUT_EFFECT: ReadonlySet<string> = new Set([
  "user",
  "metadata",
  "store",
  "service_tier",
  "session_id",
  "spaces_between_special_tokens",
]);

const UNBUILT = ["kv_transfer_params", "ec_transfer_params", "repetition_detection"] as const;

/** The first field with a value that this server does not serve, if any. */
export function unbuiltField(
  body: Readonly<Record<string, unknown>>,
  further: readonly string[] = [],
): string | undefined {
  return [...UNBUILT, ...further].find((name) => !isEmpty(body[name]));
}

function isEmpty(value: unknown): boolean {
  if (value === undefined || value === null || value === false) return true;
  return typeof value === "object" && Object.keys(value).length === 0;
}
