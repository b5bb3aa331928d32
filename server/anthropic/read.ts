/** A request of /v1/messages in the chat's terms, as vLLM translates it. */
import type { ChatAsk, ChatFields } from "../generation/chat.ts";
import { unbuiltField } from "../generation/fields.ts";
import { badRequest } from "../http/errors.ts";
import { invalidShape } from "../http/validation.ts";
import type { Serving } from "../serving.ts";
import { chatMessages, toolChanges } from "./blocks.ts";
import type { CountTokensRequest, MessagesRequest } from "./schema.ts";

export function readMessages(serving: Serving, body: MessagesRequest): ChatAsk {
  if (body.max_tokens <= 0) {
    throw invalidShape(["max_tokens"], "max_tokens must be positive", { input: body.max_tokens });
  }
  const unbuilt = unbuiltField(body, ["watermarking"]);
  if (unbuilt !== undefined) {
    throw badRequest(`The field \`${unbuilt}\` is not supported.`, unbuilt);
  }
  const { maxModelLen } = serving;
  const most = body.max_tokens;
  const budget = thinkingBudget(body);
  if (budget !== undefined && budget >= most) {
    throw invalidShape([], "thinking.budget_tokens must be less than max_tokens", { input: body });
  }
  const fields: ChatFields = {
    ...promptFields(serving, body),
    stream: body.stream ?? false,
    stop: body.stop_sequences ?? null,
    temperature: body.temperature ?? null,
    top_p: body.top_p ?? null,
    top_k: body.top_k ?? null,
    ...(body.cache_salt && { cache_salt: body.cache_salt }),
  };
  if (most > maxModelLen) {
    throw badRequest(
      `max_completion_tokens=${most} cannot be greater than max_model_len=${maxModelLen}. Please request fewer output tokens.`,
      "max_completion_tokens",
      most,
    );
  }
  return { fields, wish: { maxTokens: most } };
}

/** What the prompt depends on. */
export function promptFields(serving: Serving, body: CountTokensRequest): ChatFields {
  if (body.model === "") throw invalidShape(["model"], "Model is required", { input: "" });
  const budget = thinkingBudget(body);
  const { output_config: config, chat_template_kwargs: variables } = body;
  const disabled = body.thinking?.["type"] === "disabled";
  const effort = disabled ? disabledEffort(serving) : config?.effort;
  const schema = config?.format?.schema;
  return {
    messages: [...chatMessages(body, { merged: mergesSystem(serving), model: body.model })],
    ...(variables && { chat_template_kwargs: variables }),
    ...(effort && { reasoning_effort: effort }),
    ...(budget !== undefined && { thinking_token_budget: budget }),
    ...(schema && { response_format: schemaFormat(schema) }),
    ...toolFields(body),
  };
}

const schemaFormat = (
  schema: object,
): { readonly type: string } & Readonly<Record<string, unknown>> => ({
  type: "json_schema",
  json_schema: { schema },
});

/** Undefined: none is set. Throws where `thinking` is none that is known. */
function thinkingBudget({ thinking }: CountTokensRequest): number | undefined {
  if (!thinking) return undefined;
  const { type, budget_tokens: budget } = thinking;
  if (type === "disabled" || type === "adaptive") return undefined;
  if (type === undefined) {
    throw invalidShape(["thinking"], "Unable to extract tag using discriminator 'type'", {
      ...{ type: "union_tag_not_found", input: thinking, context: { discriminator: "'type'" } },
    });
  }
  if (type !== "enabled") {
    const tags = "'enabled', 'disabled', 'adaptive'";
    throw invalidShape(
      ["thinking"],
      `Input tag '${String(type)}' found using 'type' does not match any of the expected tags: ${tags}`,
      {
        ...{ type: "union_tag_invalid", input: thinking },
        context: { discriminator: "'type'", tag: String(type), expected_tags: tags },
      },
    );
  }
  const path = ["thinking", "enabled", "budget_tokens"];
  if (budget === undefined) {
    throw invalidShape(path, "Field required", { type: "missing", input: thinking });
  }
  if (typeof budget !== "number" || !Number.isInteger(budget)) {
    const parsing = typeof budget === "string";
    const how = parsing ? ", unable to parse string as an integer" : "";
    throw invalidShape(path, `Input should be a valid integer${how}`, {
      ...{ type: parsing ? "int_parsing" : "int_type", input: budget },
    });
  }
  if (budget < MIN_BUDGET) {
    throw invalidShape(path, `Input should be greater than or equal to ${MIN_BUDGET}`, {
      ...{ type: "greater_than_equal", input: budget, context: { ge: MIN_BUDGET } },
    });
  }
  return budget;
}

const MIN_BUDGET = 1024;

function toolFields(body: CountTokensRequest) {
  const { tool_choice: choice } = body;
  if (choice?.type === "tool" && !choice.name) {
    throw invalidShape(["tool_choice"], "tool_choice.name is required when type is 'tool'", {
      input: choice,
    });
  }
  const tools = resolvedTools(body);
  const given = choice
    ? {
        tool_choice:
          choice.type === "tool"
            ? { type: "function", function: { name: choice.name } }
            : CHOICES[choice.type],
        parallel_tool_calls: !choice.disable_parallel_tool_use,
      }
    : {};
  // A choice among no tools is none, as in vLLM.
  if (tools === undefined || tools.length === 0) return {};
  return {
    tool_choice: "auto",
    ...given,
    tools: tools.map(
      ({ name, description, input_schema: schema, strict, defer_loading: defer }) => ({
        type: "function",
        function: {
          name,
          description: description ?? null,
          parameters: { ...schema, ...(schema["type"] === undefined && { type: "object" }) },
          ...(typeof strict === "boolean" && { strict }),
          ...(typeof defer === "boolean" && { defer_loading: defer }),
        },
      }),
    ),
  };
}

const CHOICES = { auto: "auto", any: "required", none: "none" } as const;

type Tool = NonNullable<NonNullable<CountTokensRequest["tools"]>[number]>;

/** The tools in effect at the end of the conversation. */
function resolvedTools(body: CountTokensRequest): readonly Tool[] | undefined {
  const changes = toolChanges(body);
  if (changes.length === 0) return body.tools ?? undefined;
  const tools = new Map((body.tools ?? []).map((tool) => [tool.name, tool]));
  const removed = new Set<string>();
  for (const { type, tool } of changes) {
    const change = (tool ?? {}) as { readonly name?: unknown; readonly definition?: Tool }; // any JSON value
    const name = change.definition?.name ?? String(change.name ?? "");
    const known = tools.get(name);
    if (change.definition !== undefined) tools.set(name, change.definition);
    else if (known === undefined) {
      throw badRequest(`${type} references tool '${name}', which is not declared in tools`);
    } else if (type === "tool_addition") tools.set(name, { ...known, defer_loading: null });
    if (type === "tool_removal") removed.add(name);
    else removed.delete(name);
  }
  return [...tools.values()].filter(({ name }) => !removed.has(name));
}

interface TemplateTraits {
  readonly merges: boolean;
  readonly disabledEffort: "none" | "low";
}

const traits = new WeakMap<object, TemplateTraits>();

/** Does the template refuse a system message that is not the first? */
function mergesSystem(serving: Serving): boolean {
  return traitsOf(serving).merges;
}

/** The effort that says not to think: "low" where the template does not know "none". */
function disabledEffort(serving: Serving): "none" | "low" {
  return traitsOf(serving).disabledEffort;
}

function traitsOf({ chatTemplate }: Serving): TemplateTraits {
  if (chatTemplate === undefined) return { merges: true, disabledEffort: "low" };
  const known = traits.get(chatTemplate);
  if (known !== undefined) return known;
  const render = (roles: readonly string[], variables: Readonly<Record<string, unknown>>) => {
    try {
      return chatTemplate.render({
        messages: roles.map((role) => ({ role, content: "t" })),
        addGenerationPrompt: variables["reasoning_effort"] !== undefined,
        continueFinalMessage: false,
        variables,
      });
    } catch {
      return undefined;
    }
  };
  const effort = (level: string) =>
    render(["user"], { reasoning_effort: level, enable_thinking: level !== "none" });
  const none = effort("none");
  const ignored = ["low", "medium", "high", "xhigh", "max"].some((level) => effort(level) === none);
  const found: TemplateTraits = {
    merges: render(["system", "user", "system", "user"], {}) === undefined,
    disabledEffort: none === undefined || ignored ? "low" : "none",
  };
  traits.set(chatTemplate, found);
  return found;
}
