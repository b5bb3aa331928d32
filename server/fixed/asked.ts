/** What matches look at: a request of any wire format, told the same way. */
import { createHash } from "node:crypto";
import type { Match, TextMatch } from "../settings/match-lines.ts";

export interface Asked {
  readonly route: string;
  readonly model: string;
  readonly user: string;
  readonly system: string;
  /** Undefined: the last message is no tool's. */
  readonly tool: string | undefined;
  readonly tools: readonly string[];
  readonly turns: number;
  readonly stream: boolean;
  readonly headers: Readonly<Record<string, unknown>>;
  /** SHA-256 of the body's canonical JSON, without `stream` and `stream_options`. */
  readonly request: string;
  /** As it was parsed. */
  readonly body: unknown;
}

type Fields = Readonly<Record<string, unknown>>;

interface Turn {
  readonly role: "user" | "assistant" | "tool";
  readonly text: string;
}

/** `body`: as it was parsed, whatever its shape. */
export function askedOf(
  route: string,
  body: unknown,
  headers: Readonly<Record<string, unknown>>,
): Asked {
  const fields = isFields(body) ? body : {};
  const { prompt, messages, input, model, tools } = fields;
  const items = Array.isArray(messages) ? messages : Array.isArray(input) ? input : [];
  const turns = items.flatMap(turnsOf);
  for (const text of [prompt, input]) {
    if (typeof text === "string") turns.push({ role: "user", text });
  }
  if (Array.isArray(prompt)) turns.push({ role: "user", text: textOf(prompt[0]) });
  const last = turns.at(-1);
  return {
    route,
    model: typeof model === "string" ? model : "",
    user: turns.findLast(({ role }) => role === "user")?.text ?? "",
    system: systemOf(fields, items),
    tool: last?.role === "tool" ? last.text : undefined,
    tools: (Array.isArray(tools) ? tools : []).map(toolName),
    turns: turns.length,
    stream: fields["stream"] === true,
    headers,
    request: digestOf(fields),
    body,
  };
}

export function holds(match: Match, asked: Asked): boolean {
  const { route, model, user, system, tool, tools, turns, stream, headers, request } = match;
  return (
    (route === undefined || route === asked.route) &&
    (model === undefined || fits(model, asked.model)) &&
    (user === undefined || fits(user, asked.user)) &&
    (system === undefined || fits(system, asked.system)) &&
    (tool === undefined || (asked.tool !== undefined && fits(tool, asked.tool))) &&
    (tools === undefined || tools.every((name) => asked.tools.includes(name))) &&
    (turns === undefined || turns === asked.turns) &&
    (stream === undefined || stream === asked.stream) &&
    (request === undefined || request === asked.request) &&
    Object.entries(headers ?? {}).every(([name, text]) => {
      const given = asked.headers[name.toLowerCase()];
      return given !== undefined && fits(text, String(given));
    })
  );
}

function fits(match: TextMatch, text: string): boolean {
  if (typeof match === "string") return match === text;
  return new RegExp(match.regex, match.flags).test(text);
}

/** One of chat's messages, of Anthropic's, or an item of /v1/responses; what is a system's is none. */
function turnsOf(item: unknown): Turn[] {
  if (!isFields(item)) return [];
  const { role, type, content, output } = item;
  if (role === "system" || role === "developer" || type === "reasoning") return [];
  if (type === "function_call_output") return [{ role: "tool", text: textOf(output) }];
  if (role === "tool") return [{ role, text: textOf(content) }];
  if (role === "assistant" || type === "function_call") {
    return [{ role: "assistant", text: textOf(content) }];
  }
  const results = (Array.isArray(content) ? content : []).filter(
    (block) => isFields(block) && block["type"] === "tool_result",
  ) as readonly Fields[]; // by the filter
  const text = textOf(content);
  return [
    ...results.map((block): Turn => ({ role: "tool", text: textOf(block["content"]) })),
    ...(text !== "" || results.length === 0 ? [{ role: "user" as const, text }] : []),
  ];
}

function systemOf({ system, instructions }: Fields, items: readonly unknown[]): string {
  const inline = items.flatMap((item) =>
    isFields(item) && (item["role"] === "system" || item["role"] === "developer")
      ? [textOf(item["content"])]
      : [],
  );
  return [system, instructions]
    .map(textOf)
    .filter((text) => text !== "")
    .concat(inline)
    .join("\n");
}

/** A content's text, its parts joined. */
function textOf(content: unknown): string {
  if (typeof content === "string") return content;
  if (!Array.isArray(content)) return "";
  return content
    .flatMap((part) => (isFields(part) && typeof part["text"] === "string" ? [part["text"]] : []))
    .join("\n");
}

function toolName(tool: unknown): string {
  if (!isFields(tool)) return "";
  const described = isFields(tool["function"]) ? tool["function"] : tool;
  return String(described["name"] ?? "");
}

function digestOf(body: Fields): string {
  const { stream: _stream, stream_options: _options, ...asked } = body;
  return createHash("sha256").update(canonical(asked)).digest("hex");
}

function canonical(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(canonical).join()}]`;
  if (!isFields(value)) return typeof value === "bigint" ? String(value) : JSON.stringify(value);
  const entries = Object.entries(value).filter(([, its]) => its !== undefined);
  entries.sort(([a], [b]) => (a < b ? -1 : 1));
  return `{${entries.map(([name, its]) => `${JSON.stringify(name)}:${canonical(its)}`).join()}}`;
}

function isFields(value: unknown): value is Fields {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
