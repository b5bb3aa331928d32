/** POST /v1/responses: what comes in. Items are read in input.ts, tools in tools.ts. */
import { type Static, Type } from "typebox";
import { fields, nullable, requestId } from "../../generation/fields.ts";
import { badRequest } from "../../http/errors.ts";
import { pyType } from "../../http/shape/python.ts";
import { withBodyChecks } from "../../http/validation.ts";
import { checkCacheSalt } from "../body-checks.ts";
import { type Fields, isFields, noSuchChoice } from "./fields.ts";

const text = Type.String();
const boolean = Type.Boolean();
const object = Type.Record(Type.String(), Type.Unknown());

const INCLUDABLE = [
  "code_interpreter_call.outputs",
  "computer_call_output.output.image_url",
  "file_search_call.results",
  "message.input_image.image_url",
  "message.output_text.logprobs",
  "reasoning.encrypted_content",
] as const;

const literals = <T extends string>(values: readonly T[]) => Type.Unsafe<T>(Type.Enum([...values]));

/** Named as in OpenAI's library: the paths of complaints show it. */
const named = (title: string, properties: Parameters<typeof Type.Object>[0]) =>
  Type.Unsafe<Fields>(Type.Object(properties, { title }));

const toolChoice = Type.Union([
  literals(["none", "auto", "required"]),
  named("ToolChoiceAllowed", {
    mode: literals(["auto", "required"]),
    tools: Type.Array(object),
    type: Type.Literal("allowed_tools"),
  }),
  named("ToolChoiceTypes", {
    type: literals([
      ...["file_search", "web_search_preview", "computer", "computer_use_preview"],
      ...["computer_use", "web_search_preview_2025_03_11", "image_generation"],
      "code_interpreter",
    ]),
  }),
  named("ToolChoiceFunction", { name: text, type: Type.Literal("function") }),
  named("ToolChoiceMcp", { server_label: text, type: Type.Literal("mcp"), name: nullable(text) }),
  named("ToolChoiceCustom", { name: text, type: Type.Literal("custom") }),
  named("ToolChoiceSpecificProgrammaticToolCallingParam", {
    type: Type.Literal("programmatic_tool_calling"),
  }),
  named("ToolChoiceApplyPatch", { type: Type.Literal("apply_patch") }),
  named("ToolChoiceShell", { type: Type.Literal("shell") }),
]);

const textFormat = Type.Union([
  named("ResponseFormatText", { type: Type.Literal("text") }),
  named("ResponseFormatTextJSONSchemaConfig", {
    name: text,
    schema: object,
    type: Type.Literal("json_schema"),
    description: nullable(text),
    strict: nullable(boolean),
  }),
  named("ResponseFormatJSONObject", { type: Type.Literal("json_object") }),
]);

const penalty = Type.Number({ minimum: -2, maximum: 2 });

export const responsesRequest = withBodyChecks(
  Type.Object({
    background: nullable(boolean),
    include: nullable(Type.Array(literals(INCLUDABLE))),
    input: Type.Union([text, Type.Array(Type.Unknown())]),
    instructions: nullable(text),
    max_output_tokens: nullable(Type.Integer()),
    max_tool_calls: nullable(Type.Integer()),
    metadata: nullable(Type.Record(Type.String(), text)),
    model: nullable(text),
    logit_bias: fields.logit_bias,
    parallel_tool_calls: nullable(boolean),
    previous_response_id: nullable(text),
    prompt: Type.Optional(Type.Unknown()),
    reasoning: nullable(
      Type.Object({
        effort: nullable(literals(["none", "minimal", "low", "medium", "high", "xhigh", "max"])),
        summary: nullable(literals(["auto", "concise", "detailed"])),
        generate_summary: nullable(literals(["auto", "concise", "detailed"])),
      }),
    ),
    include_reasoning: Type.Optional(boolean),
    service_tier: Type.Optional(literals(["auto", "default", "flex", "scale", "priority"])),
    store: nullable(boolean),
    stream: nullable(boolean),
    temperature: fields.temperature,
    text: nullable(
      Type.Object({
        format: nullable(textFormat),
        verbosity: nullable(literals(["low", "medium", "high"])),
      }),
    ),
    tool_choice: Type.Optional(toolChoice),
    tools: Type.Optional(Type.Array(Type.Unknown())),
    top_logprobs: nullable(Type.Integer()),
    top_p: fields.top_p,
    top_k: fields.top_k,
    min_p: fields.min_p,
    truncation: nullable(literals(["auto", "disabled"])),
    user: nullable(text),
    skip_special_tokens: Type.Optional(boolean),
    include_stop_str_in_output: Type.Optional(boolean),
    presence_penalty: nullable(penalty),
    frequency_penalty: nullable(penalty),
    repetition_penalty: fields.repetition_penalty,
    prompt_cache_key: nullable(text),
    request_id: Type.Optional(requestId),
    session_id: nullable(text),
    priority: fields.priority,
    cache_salt: nullable(Type.String({ minLength: 1, maxLength: 1024 })),
    enable_response_messages: Type.Optional(boolean),
    previous_input_messages: nullable(Type.Array(object)),
    structured_outputs: fields.structured_outputs,
    seed: fields.seed,
    stop: fields.stop,
    stop_token_ids: fields.stop_token_ids,
    ignore_eos: Type.Optional(boolean),
    chat_template_kwargs: nullable(object),
    // Known to vLLM, not served here: a value other than null, false or empty is refused.
    watermarking: nullable(boolean),
    vllm_xargs: nullable(object),
    kv_transfer_params: nullable(object),
    ec_transfer_params: nullable(object),
    media_io_kwargs: nullable(object),
    mm_processor_kwargs: nullable(object),
  }),
  [checkPrompt, checkCacheSalt, checkChoice],
);

function checkPrompt({ prompt }: Readonly<Record<string, unknown>>): void {
  if ((prompt ?? null) !== null) throw badRequest("prompt template is not supported", "prompt");
}

/** As vLLM, before the fields are looked at: a choice among no tools is none, and a named one has a name. */
function checkChoice(body: Readonly<Record<string, unknown>>): void {
  const { tools, tool_choice: choice = "auto" } = body;
  if (typeof tools === "number" || typeof tools === "boolean") {
    throw badRequest(`object of type '${pyType(tools)}' has no len()`);
  }
  const none =
    tools === undefined || tools === null || (Array.isArray(tools) && tools.length === 0);
  const named = isFields(choice) && (choice["type"] === "function" || choice["type"] === "custom");
  if (none && (choice === "auto" || choice === "none")) {
    Object.assign(body, { tool_choice: "none" });
  } else if (none && choice === "required") {
    throw badRequest(
      "Tool choice 'required' must be specified with 'tools' parameter.",
      "tool_choice",
    );
  } else if (named && (none || !choice["name"])) throw noSuchChoice();
}

export type ResponsesRequest = Static<typeof responsesRequest>;

/** Of vLLM's fields, those of responses alone that are not served. */
export const RESPONSES_UNBUILT: readonly string[] = [
  "watermarking",
  "media_io_kwargs",
  "mm_processor_kwargs",
  "previous_input_messages",
];
