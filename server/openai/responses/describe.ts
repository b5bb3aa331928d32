/** The response object, to the byte: fields in vLLM's order. */
import type { ChatGeneration, PreparedChat } from "../../generation/chat.ts";
import type { Running } from "../../generation/generate.ts";
import { float } from "../../http/python-json.ts";
import type { Serving } from "../../serving.ts";
import { requestMetrics } from "../usage.ts";
import { type Fields, isFields } from "./fields.ts";
import type { ResponsesRequest } from "./schema.ts";
import type { ResponseTools } from "./tools.ts";

export type ResponseStatus =
  | "queued"
  | "in_progress"
  | "completed"
  | "incomplete"
  | "cancelled"
  | "failed";

/** What of a response does not change while it runs. */
export interface ResponseHead {
  readonly id: string;
  /** Unix seconds. */
  readonly created: number;
  readonly model: string;
  readonly body: ResponsesRequest;
  readonly tools: ResponseTools;
  readonly prepared: PreparedChat;
  /** `logprobs` of the sampling. */
  readonly logprobs: number | null;
}

export interface ResponseObject {
  readonly id: string;
  readonly status: ResponseStatus;
  readonly output: readonly object[];
}

/** What a response has come to. */
export interface ResponseOutcome {
  readonly output: readonly object[];
  readonly usage?: object;
  readonly metrics?: object | null;
  readonly inputMessages?: readonly object[];
  readonly outputMessages?: readonly object[];
}

export function describe(
  { id, created, model, body, tools, prepared, logprobs }: ResponseHead,
  status: ResponseStatus,
  { output, usage, metrics, inputMessages, outputMessages }: ResponseOutcome,
): ResponseObject {
  const { params } = prepared.sampling;
  return {
    id,
    created_at: created,
    incomplete_details: status === "incomplete" ? { reason: "max_output_tokens" } : null,
    instructions: body.instructions ?? null,
    metadata: body.metadata ?? null,
    model,
    object: "response",
    output,
    parallel_tool_calls: body.parallel_tool_calls ?? true,
    temperature: float(params.temperature),
    tool_choice: tools.echoedChoice,
    tools: tools.echoed,
    top_p: float(params.topP),
    background: body.background ?? false,
    max_output_tokens: params.maxTokens,
    max_tool_calls: body.max_tool_calls ?? null,
    previous_response_id: body.previous_response_id ?? null,
    prompt: null,
    reasoning: body.reasoning ? echoReasoning(body.reasoning) : null,
    service_tier: body.service_tier ?? "auto",
    status,
    text: body.text ? echoText(body.text) : null,
    top_logprobs: logprobs,
    truncation: body.truncation ?? "disabled",
    usage: usage ?? null,
    user: body.user ?? null,
    ...(metrics && { metrics }),
    presence_penalty: float(params.presencePenalty),
    frequency_penalty: float(params.frequencyPenalty),
    kv_transfer_params: null,
    ec_transfer_params: null,
    input_messages: inputMessages ?? null,
    output_messages: outputMessages ?? null,
  } as ResponseObject; // wider: its fields are written, not read
}

function echoReasoning(reasoning: Fields): object {
  const names = ["context", "effort", "generate_summary", "mode", "summary"];
  return Object.fromEntries(names.map((name) => [name, reasoning[name] ?? null]));
}

function echoText({ format, verbosity }: Fields): object {
  return { format: isFields(format) ? echoFormat(format) : null, verbosity: verbosity ?? null };
}

function echoFormat(format: Fields): object {
  if (format["type"] !== "json_schema") return format;
  const { name, schema, type, description = null, strict = null } = format;
  return { name, schema, type, description, strict };
}

export function responseUsage(promptTokens: number, chat: ChatGeneration): object {
  const { generation } = chat;
  const output = generation.outputTokens;
  return {
    input_tokens: promptTokens,
    input_tokens_details: {
      cached_tokens: generation.cachedTokens,
      cache_write_tokens: 0,
      input_tokens_per_turn: [],
      cached_tokens_per_turn: [],
    },
    output_tokens: output,
    output_tokens_details: {
      reasoning_tokens: chat.reasoningTokens() ?? 0,
      tool_output_tokens: 0,
      output_tokens_per_turn: [],
      tool_output_tokens_per_turn: [],
    },
    total_tokens: promptTokens + output,
  };
}

/** What a finished response tells beside its output. */
export function outcomeOf(
  { body, prepared }: ResponseHead,
  chat: ChatGeneration,
  {
    serving,
    output,
    text,
    ids,
  }: {
    readonly serving: Serving;
    readonly output: readonly object[];
    readonly text: string;
    readonly ids: readonly number[];
  },
): ResponseOutcome {
  const { prompt } = prepared;
  const raw = (message: string, tokens: readonly number[]) => ({
    message,
    tokens,
    type: "raw_message_tokens",
  });
  return {
    output,
    usage: responseUsage(prompt.ids.length, chat),
    metrics: requestMetrics(chat.generation, serving),
    ...(body.enable_response_messages && {
      inputMessages: [raw(prompt.text ?? "", [...prompt.ids])],
      outputMessages: text === "" && ids.length === 0 ? [] : [raw(text, ids)],
    }),
  };
}

export function statusOf(generation: Running): ResponseStatus {
  const reason = generation.choices[0]?.finish?.reason;
  if (reason === "length") return "incomplete";
  if (reason === "abort") return "cancelled";
  return reason === "error" ? "failed" : "completed";
}
