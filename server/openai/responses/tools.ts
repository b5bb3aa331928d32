/**
 * Tools of a response: flat on the wire, nested for the chat template. A custom tool
 * is shown to the model as a function of one text; a namespace's functions carry its
 * name. Whatever else the API knows runs nowhere here: it is echoed and not shown.
 */
import { badRequest } from "../../http/errors.ts";
import { invalidShape } from "../../http/validation.ts";
import { type Fields, isFields, noSuchChoice } from "./fields.ts";
import type { ResponsesRequest } from "./schema.ts";

export interface ToolName {
  readonly name: string;
  readonly namespace: string | null;
  readonly custom: boolean;
}

export interface ResponseTools {
  /** As the chat template shall see them. */
  readonly shown: readonly object[];
  /** By the name that the model calls. */
  readonly names: ReadonlyMap<string, ToolName>;
  /** In the chat's terms. */
  readonly choice: unknown;
  /** As the response repeats them. */
  readonly echoed: readonly object[];
  readonly echoedChoice: unknown;
}

/** The field by which a model gives a custom tool its text. */
export const CUSTOM_INPUT = "input";

const CUSTOM_PARAMETERS = {
  type: "object",
  properties: {
    [CUSTOM_INPUT]: { type: "string", description: "The freeform text payload for this tool." },
  },
  required: [CUSTOM_INPUT],
  additionalProperties: false,
};

export function responseTools(body: ResponsesRequest): ResponseTools {
  const tools = (body.tools ?? []).map(readTool);
  const names = new Map<string, ToolName>();
  const shown: object[] = [];
  const show = (tool: Fields, named: ToolName, called: string): void => {
    names.set(called, named);
    const { description = null, strict } = tool;
    const parameters = named.custom ? CUSTOM_PARAMETERS : (tool["parameters"] ?? null);
    shown.push({
      type: "function",
      function: {
        name: called,
        description,
        parameters,
        ...(typeof strict === "boolean" && { strict }),
      },
    });
  };
  for (const tool of tools) {
    const name = String(tool["name"]);
    if (tool["type"] === "function") show(tool, { name, namespace: null, custom: false }, name);
    if (tool["type"] === "custom") show(tool, { name, namespace: null, custom: true }, name);
    if (tool["type"] === "namespace") {
      for (const one of asList(tool["tools"])) {
        const local = String(one["name"]);
        if (one["type"] === "function") {
          show(one, { name: local, namespace: name, custom: false }, `${name}__${local}`);
        }
      }
    }
  }
  const { choice, echoed } = readChoice(body, names);
  return {
    shown: allowed(shown, choice),
    names,
    choice: chatChoice(choice, shown.length),
    echoed: tools.map(echoTool),
    echoedChoice: echoed,
  };
}

function readTool(tool: unknown, index: number): Fields {
  const path = (...field: readonly string[]) => ["tools", index, "FunctionTool", ...field];
  const missing = { type: "missing", input: tool };
  if (!isFields(tool)) {
    throw invalidShape(path(), "Input should be a valid dictionary", {
      ...missing,
      type: "dict_type",
    });
  }
  const { type, name } = tool;
  const named = type === "function" || type === "custom" || type === "namespace";
  if (type === undefined || (named && typeof name !== "string")) {
    const field = typeof name === "string" ? "type" : "name";
    throw invalidShape(path(field), "Field required", missing);
  }
  const { parameters = null } = tool;
  if (type === "function" && parameters !== null && !isFields(parameters)) {
    throw invalidShape(path("parameters"), "Input should be a valid dictionary", {
      ...{ type: "dict_type", input: parameters },
    });
  }
  if (!KNOWN_TOOLS.has(String(type))) {
    const field = name === undefined ? "name" : "type";
    throw invalidShape(path(field), "The type of this tool is unknown", missing);
  }
  if (type === "custom" && isFields(tool["format"]) && tool["format"]["type"] === "grammar") {
    throw badRequest(
      "Custom tools with a grammar format are not supported; only free-form text custom tools are accepted.",
      "tools",
    );
  }
  return tool;
}

const KNOWN_TOOLS: ReadonlySet<string> = new Set([
  "apply_patch",
  "code_interpreter",
  "computer",
  "computer_use_preview",
  "custom",
  "file_search",
  "function",
  "image_generation",
  "local_shell",
  "mcp",
  "namespace",
  "shell",
  "tool_search",
  "web_search",
  "web_search_2025_08_26",
  "web_search_preview",
  "web_search_preview_2025_03_11",
]);

function readChoice(body: ResponsesRequest, names: ReadonlyMap<string, ToolName>) {
  const given = body.tool_choice ?? "auto";
  const any = (body.tools ?? []).length > 0;
  if (typeof given === "string") {
    const choice = any ? given : "none";
    return { choice, echoed: choice };
  }
  const { type, name } = given;
  if (type !== "function" && type !== "custom") return { choice: given, echoed: echoChoice(given) };
  const called = typeof name === "string" ? resolveName(name, names) : undefined;
  if (called === undefined) throw noSuchChoice();
  const choice = { type, name: called };
  return { choice, echoed: echoChoice(choice) };
}

/** A function of a namespace may be chosen by its own name, if that is one's alone. */
function resolveName(name: string, names: ReadonlyMap<string, ToolName>): string | undefined {
  if (names.has(name)) return name;
  const found = [...names].filter(([, one]) => one.namespace !== null && one.name === name);
  if (found.length > 1) {
    const flat = found.map(([called]) => called).join(", ");
    throw badRequest(
      `Tool choice '${name}' is ambiguous: it is defined in more than one namespace (${flat}). Select it by its full '<namespace>__<name>' name.`,
      "tool_choice",
    );
  }
  return found[0]?.[0];
}

function allowed(shown: readonly object[], choice: unknown): readonly object[] {
  if (!isFields(choice) || choice["type"] !== "allowed_tools") return shown;
  const names = new Set(asList(choice["tools"]).map((one) => one["name"]));
  return shown.filter((tool) => names.has((tool as { function: { name: string } }).function.name));
}

function chatChoice(choice: unknown, shown: number): unknown {
  if (shown === 0) return undefined;
  if (!isFields(choice)) return choice;
  if (choice["type"] === "allowed_tools") return choice["mode"] ?? "auto";
  if (choice["type"] !== "function" && choice["type"] !== "custom") return "auto";
  return { type: "function", function: { name: choice["name"] } };
}

/** Fields in the order, and with the nulls, in which OpenAI's types are printed. */
function echoTool(tool: Fields): object {
  if (tool["type"] === "namespace") {
    const { description = null, name, tools, type } = tool;
    return { description, name, tools: asList(tools).map(echoNamespaced), type };
  }
  const names = ECHOED[String(tool["type"])];
  if (names === undefined) return tool;
  const echoed = Object.fromEntries(names.map((name) => [name, tool[name] ?? null]));
  const { container } = tool;
  if (tool["type"] !== "code_interpreter" || !isFields(container)) return echoed;
  return { ...echoed, container: { ...AUTO_CONTAINER, ...container } };
}

const AUTO_CONTAINER = { type: "auto", file_ids: null, memory_limit: null, network_policy: null };

const ECHOED: Readonly<Record<string, readonly string[]>> = {
  function: [
    ...["name", "parameters", "strict", "type", "allowed_callers", "async"],
    ...["defer_loading", "description", "output_schema"],
  ],
  custom: ["name", "type", "allowed_callers", "async", "defer_loading", "description", "format"],
  web_search_preview: ["type", "search_content_types", "search_context_size", "user_location"],
  web_search: ["type", "external_web_access", "filters", "search_context_size", "user_location"],
  code_interpreter: ["container", "type", "allowed_callers"],
  file_search: ["type", "vector_store_ids", "filters", "max_num_results", "ranking_options"],
  computer_use_preview: ["display_height", "display_width", "environment", "type"],
  mcp: [
    ...["server_label", "type", "allowed_callers", "allowed_tools", "authorization"],
    ...["connector_id", "defer_loading", "headers", "require_approval", "server_description"],
    ...["server_url", "tunnel_id"],
  ],
  image_generation: [
    ...["type", "action", "background", "complexity", "frame_count", "frame_duration_ms"],
    ...["input_fidelity", "input_image_mask", "model", "moderation", "output_compression"],
    ...["output_format", "partial_images", "quality", "size", "svg"],
  ],
};

function echoNamespaced(tool: Fields): object {
  const names = ["name", "type", "allowed_callers", "async", "defer_loading", "description"];
  const last = tool["type"] === "function" ? ["output_schema", "parameters", "strict"] : ["format"];
  return Object.fromEntries([...names, ...last].map((name) => [name, tool[name] ?? null]));
}

function echoChoice(choice: Fields): object {
  const { type, name, mode, tools } = choice;
  if (type === "allowed_tools") return { mode, tools, type };
  if (type === "mcp") return { server_label: choice["server_label"], type, name: name ?? null };
  return name === undefined ? choice : { name, type };
}

function asList(value: unknown): readonly Fields[] {
  return Array.isArray(value) ? value.filter(isFields) : [];
}
