/** What another server answered, as a fixed answer: each wire format, whole or streamed. Of several choices the first. */
import { pyJson } from "../http/shape/python.ts";
import type { Answer, Call } from "../settings/match-lines.ts";

type Fields = Readonly<Record<string, unknown>>;

interface Told {
  readonly status: number;
  readonly streamed: boolean;
  readonly text: string;
}

/** Undefined: it cannot be read, or broke off. */
export function readAnswer(route: string, told: Told): Answer | undefined {
  if (told.status >= 400) return { error: readError(told) };
  const read = READERS[route];
  try {
    return read?.(told);
  } catch {
    return undefined; // no JSON, or none of this format
  }
}

const READERS: Readonly<Record<string, (told: Told) => Answer | undefined>> = {
  "/v1/chat/completions": ({ streamed, text }) => {
    const choice = streamed ? joinedChoice(text) : firstChoice(JSON.parse(text));
    const message = fieldsOf(choice?.[streamed ? "delta" : "message"]);
    const calls = listOf(message["tool_calls"]).map((call) => {
      const { name, arguments: given } = fieldsOf(call["function"]);
      return callOf(name, given, call["id"]);
    });
    return choice && answer({ ...message, calls, finish: choice["finish_reason"] });
  },
  "/v1/completions": ({ streamed, text }) => {
    if (!streamed) {
      const choice = firstChoice(JSON.parse(text));
      return choice && answer({ content: choice["text"], finish: choice["finish_reason"] });
    }
    const choices = eventsIn(text).map((event) => firstChoice(event) ?? {});
    const finish = choices.map((choice) => choice["finish_reason"]).findLast((its) => its);
    const content = choices.map((choice) => choice["text"] ?? "").join("");
    return finish ? answer({ content, finish }) : undefined;
  },
  "/v1/responses": ({ streamed, text }) => {
    const last = streamed ? eventsIn(text).findLast((event) => "response" in event) : undefined;
    const response = fieldsOf(streamed ? last?.["response"] : JSON.parse(text));
    const ended = response["status"] === "completed" || response["status"] === "incomplete";
    const items = listOf(response["output"]);
    const texts = (type: string, ...names: readonly string[]) =>
      items
        .filter((item) => item["type"] === type)
        .flatMap((item) => names.flatMap((name) => listOf(item[name])))
        .map((part) => part["text"] ?? "")
        .join("");
    const calls = items
      .filter((item) => item["type"] === "function_call")
      .map((item) => callOf(item["name"], item["arguments"], item["call_id"]));
    const finish = response["status"] === "incomplete" ? "length" : "stop";
    const content = texts("message", "content");
    const reasoning = texts("reasoning", "content", "summary");
    return ended ? answer({ content, reasoning, calls, finish }) : undefined;
  },
  "/v1/messages": ({ streamed, text }) => {
    const message = streamed ? joinedMessage(text) : fieldsOf(JSON.parse(text));
    const blocks = listOf(message?.["content"]);
    const texts = (type: string, name: string) =>
      blocks.map((block) => (block["type"] === type ? block[name] : "")).join("");
    const calls = blocks
      .filter((block) => block["type"] === "tool_use")
      .map((block) => callOf(block["name"], pyJson(block["input"] ?? {}), block["id"]));
    const finish = message?.["stop_reason"] === "max_tokens" ? "length" : "stop";
    const reasoning = texts("thinking", "thinking");
    return message?.["stop_reason"]
      ? answer({ content: texts("text", "text"), reasoning, calls, finish })
      : undefined;
  },
};

function answer(message: Fields): Answer {
  const { content, calls, finish } = message;
  const reasoning = message["reasoning"] ?? message["reasoning_content"];
  const called = (calls ?? []) as readonly Call[]; // as the readers made them
  return {
    ...(typeof reasoning === "string" && reasoning !== "" && { reasoning }),
    ...(typeof content === "string" && content !== "" && { text: content }),
    ...(called.length > 0 && { calls: called }),
    ...(finish === "length" && { finish: "length" as const }),
  };
}

function callOf(name: unknown, given: unknown, id: unknown): Call {
  return {
    name: String(name),
    arguments: String(given ?? "{}"),
    ...(typeof id === "string" && { id }),
  };
}

/** The deltas of the first choice as one; undefined: its stream has no end. */
function joinedChoice(text: string): Fields | undefined {
  const joined = { content: "", reasoning: "" };
  const calls: { id?: unknown; function: { name: string; arguments: string } }[] = [];
  let finish: unknown;
  for (const event of eventsIn(text)) {
    const choice = firstChoice(event);
    const delta = fieldsOf(choice?.["delta"]);
    finish = choice?.["finish_reason"] ?? finish;
    joined.content += delta["content"] ?? "";
    joined.reasoning += delta["reasoning"] ?? delta["reasoning_content"] ?? "";
    for (const part of listOf(delta["tool_calls"])) {
      const at = Number(part["index"] ?? calls.length);
      const call = calls[at] ?? { function: { name: "", arguments: "" } };
      calls[at] = call;
      const { name, arguments: given } = fieldsOf(part["function"]);
      call.id ??= part["id"];
      call.function.name += name ?? "";
      call.function.arguments += given ?? "";
    }
  }
  if (!finish) return undefined;
  return { delta: { ...joined, tool_calls: calls }, finish_reason: finish };
}

/** The blocks of a streamed message; undefined: its stream has no end. */
function joinedMessage(text: string): Fields | undefined {
  const blocks: Record<string, unknown>[] = [];
  let stop: unknown;
  for (const event of eventsIn(text)) {
    const delta = fieldsOf(event["delta"]);
    const at = Number(event["index"] ?? 0);
    const block = blocks[at];
    if (event["type"] === "content_block_start") {
      blocks[at] = { ...fieldsOf(event["content_block"]), json: "" };
    } else if (event["type"] === "content_block_delta" && block !== undefined) {
      for (const name of ["text", "thinking"]) {
        if (typeof delta[name] === "string") block[name] = `${block[name] ?? ""}${delta[name]}`;
      }
      block["json"] += String(delta["partial_json"] ?? "");
    } else if (event["type"] === "message_delta") stop = delta["stop_reason"] ?? stop;
  }
  const content = blocks.map(({ json, ...block }) =>
    json === "" ? block : { ...block, input: JSON.parse(String(json)) },
  );
  return stop ? { content, stop_reason: stop } : undefined;
}

function readError({ status, text }: Told) {
  let error: Fields = {};
  try {
    const body = fieldsOf(JSON.parse(text));
    error = typeof body["error"] === "object" ? fieldsOf(body["error"]) : body;
  } catch {
    return { status }; // a page, or nothing
  }
  const { message, type } = error;
  return {
    status,
    ...(typeof message === "string" && { message }),
    ...(typeof type === "string" && type !== "error" && { type }),
  };
}

function eventsIn(text: string): readonly Fields[] {
  return [...text.matchAll(/^data: ?(\{.*)\r?$/gm)].map(([, data = ""]) =>
    fieldsOf(JSON.parse(data)),
  );
}

function firstChoice(body: unknown): Fields | undefined {
  return listOf(fieldsOf(body)["choices"]).find((choice) => (choice["index"] ?? 0) === 0);
}

function fieldsOf(value: unknown): Fields {
  return typeof value === "object" && value !== null ? (value as Fields) : {}; // an object by the line
}

function listOf(value: unknown): readonly Fields[] {
  return Array.isArray(value) ? value.map(fieldsOf) : [];
}
