/** A response's body in the chat's terms, with vLLM's checks in vLLM's order. */
import type { ChatAsk, ChatFields } from "../../generation/chat.ts";
import { unbuiltField } from "../../generation/fields.ts";
import type { ChatMessage } from "../../generation/messages.ts";
import { ApiError, badRequest } from "../../http/errors.ts";
import type { Serving } from "../../serving.ts";
import { isFields } from "./fields.ts";
import { type EarlierItems, inputMessages, isContinued } from "./input.ts";
import { RESPONSES_UNBUILT, type ResponsesRequest } from "./schema.ts";
import type { ResponseTools } from "./tools.ts";

/** What can be said of the body alone. */
export function checkBody(body: ResponsesRequest): void {
  const unbuilt = unbuiltField(body, RESPONSES_UNBUILT);
  if (unbuilt !== undefined) {
    throw badRequest(`The field \`${unbuilt}\` is not supported.`, unbuilt);
  }
  if (body.background && body.store === false) {
    throw badRequest("background can only be used when `store` is true", "background");
  }
}

export function checkBackground(body: ResponsesRequest, stores: boolean): void {
  if (body.background && !stores) {
    throw new ApiError(
      "invalid-request",
      "This vLLM engine does not support `store=True` and therefore does not support the background mode. To enable these features, set the environment variable `VLLM_ENABLE_RESPONSES_API_STORE=1` when launching the vLLM server.",
      { param: "background" },
    );
  }
}

/** `before`: the conversation so far. */
export function readResponse(
  { settings, maxModelLen }: Serving,
  body: ResponsesRequest,
  {
    tools,
    before,
    earlier,
  }: {
    readonly tools: ResponseTools;
    readonly before: readonly ChatMessage[];
    readonly earlier: EarlierItems;
  },
): ChatAsk & { readonly messages: readonly ChatMessage[] } {
  const messages = inputMessages(body, before, earlier);
  const most = body.max_output_tokens;
  if (typeof most === "number" && most > maxModelLen) {
    throw badRequest(
      `max_output_tokens=${most} cannot be greater than max_model_len=${maxModelLen}. Please request fewer output tokens.`,
      "max_output_tokens",
      most,
    );
  }
  const continued = isContinued(body);
  const parses = Boolean(settings["enable-auto-tool-choice"] && settings["tool-call-parser"]);
  // Without a parser calls are text, as in vLLM.
  const choice = tools.choice === "auto" && !parses ? "none" : tools.choice;
  const effort = body.reasoning?.effort;
  const fields: ChatFields = {
    ...shared(body),
    messages: [...messages],
    stream: body.stream ?? false,
    // No text ends nothing, as in vLLM.
    ...(body.stop === "" && { stop: null }),
    ...(tools.shown.length > 0 && { tools: tools.shown, tool_choice: choice }),
    ...structuredOutput(body),
    ...(effort && { reasoning_effort: effort }),
    ...(continued && { add_generation_prompt: false, continue_final_message: true }),
    ...(body.truncation === "auto" && { truncate_prompt_tokens: -1 }),
  };
  const wish = {
    ...(typeof most === "number" && { maxTokens: most }),
    ...(logprobsWanted(body) && { logprobs: body.top_logprobs ?? 0 }),
  };
  return { fields, wish, messages };
}

export function logprobsWanted({ include }: ResponsesRequest): boolean {
  return include?.includes("message.output_text.logprobs") ?? false;
}

/** Fields that a chat has under the same name. */
const SHARED = [
  "parallel_tool_calls",
  "temperature",
  "top_p",
  "top_k",
  "min_p",
  "presence_penalty",
  "frequency_penalty",
  "repetition_penalty",
  "logit_bias",
  "seed",
  "stop",
  "stop_token_ids",
  "ignore_eos",
  "skip_special_tokens",
  "include_stop_str_in_output",
  "include_reasoning",
  "chat_template_kwargs",
  "cache_salt",
  "priority",
  "structured_outputs",
] as const satisfies readonly (keyof ResponsesRequest)[];

function shared(body: ResponsesRequest): Partial<ChatFields> {
  const given = SHARED.filter((name) => body[name] !== undefined);
  return Object.fromEntries(given.map((name) => [name, body[name]])) as Partial<ChatFields>; // the same types by name
}

function structuredOutput({ text, structured_outputs: given }: ResponsesRequest) {
  const format = text?.format;
  if (!format) return {};
  if (given) {
    throw badRequest(
      "Cannot specify both structured_outputs and text.format",
      "structured_outputs",
    );
  }
  if (format["type"] === "json_object") return { response_format: { type: "json_object" } };
  if (format["type"] !== "json_schema") return {};
  const { schema } = format;
  return isFields(schema) || typeof schema === "boolean"
    ? { response_format: { type: "json_schema", json_schema: { schema } } }
    : {};
}
