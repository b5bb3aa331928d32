/** Every wire format that streams an answer, as the contract of formats sees it. */
import { WebSocket } from "ws";
import type { TestServer } from "../../support/server.ts";

/**
 * What an event is for. `start`: the answer begins; `open` and `close`: a part of it does and
 * has; `text`: more of it; `finish`: why it ended; `usage`: counts; `done`: nothing more comes;
 * `error`: it failed.
 */
export type Kind = "start" | "open" | "text" | "close" | "finish" | "usage" | "done" | "error";

export interface WireEvent {
  readonly kind: Kind;
  /** Of `text`: what came, as text or as ids. */
  readonly text: string;
  /** Why the answer ended, where this event says so. */
  readonly reason?: string;
}

export interface WireFormat {
  /** What cutting an answer to its length is called. */
  readonly cut: string;
  /** The events of an answer of so many tokens, as they come; leaving the loop early leaves the server. */
  readonly stream: (server: TestServer, tokens: number) => AsyncIterable<WireEvent>;
  /** The same answer in one; absent: the format only streams. */
  readonly whole?: (server: TestServer, tokens: number) => Promise<string>;
}

/** A body, or an event, as far as the cases below look into it. */
type Json = ReturnType<typeof JSON.parse>;

const messages = [{ role: "user", content: "Tell me of the sea." }];
const drawn = { seed: 7, temperature: 0.8, ignore_eos: true };

const event = (kind: Kind, text = "", reason?: string): WireEvent => ({
  kind,
  text,
  ...(reason !== undefined && { reason }),
});

/** Server-sent events of a POST; the request is aborted when nobody listens any more. */
async function* posted(server: TestServer, path: string, body: object): AsyncGenerator<string> {
  const abort = new AbortController();
  const response = await fetch(`${server.url}${path}`, {
    method: "POST",
    signal: abort.signal,
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ ...body, stream: true }),
  });
  if (!response.ok) throw new Error(await response.text());
  const reader = response.body?.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  try {
    for (let read = await reader?.read(); read && !read.done; read = await reader?.read()) {
      const events = (rest + read.value).split("\n\n");
      rest = events.pop() ?? "";
      for (const one of events) yield one.slice(one.indexOf("data: ") + "data: ".length);
    }
    if (rest !== "") throw new Error(`The stream ends inside an event: ${rest}`);
  } finally {
    abort.abort();
  }
}

/** OpenAI's chunks: choices, then usage, then [DONE]. */
function chunked(
  path: string,
  body: (tokens: number) => object,
  textOf: (choice: Json) => string,
): WireFormat {
  const read = (data: string): WireEvent => {
    if (data === "[DONE]") return event("done");
    const { choices, error, usage } = JSON.parse(data) as Json;
    if (error) return event("error", error.message);
    const [choice] = choices as Json[];
    if (choice === undefined) return event(usage ? "usage" : "error");
    const reason = choice.finish_reason ?? undefined;
    return choice.delta?.role ? event("start") : event("text", textOf(choice), reason);
  };
  return {
    cut: "length",
    stream: async function* (server, tokens) {
      const further = { stream_options: { include_usage: true } };
      for await (const data of posted(server, path, { ...body(tokens), ...further }))
        yield read(data);
    },
    whole: async (server, tokens) => {
      const { json } = await server.post(path, body(tokens));
      return textOf(json.choices[0]);
    },
  };
}

/** Events that name their type. */
function typed(
  path: string,
  body: (tokens: number) => object,
  of: {
    readonly cut: string;
    readonly kinds: Readonly<Record<string, Kind>>;
    readonly textOf: (event: Json) => string;
    readonly reasonOf: (event: Json) => string | undefined;
    readonly wholeOf: (answer: Json) => string;
  },
): WireFormat {
  return {
    cut: of.cut,
    stream: async function* (server, tokens) {
      for await (const data of posted(server, path, body(tokens))) {
        const one = JSON.parse(data) as Json;
        const kind = of.kinds[one.type];
        if (kind === undefined) throw new Error(`An event of an unknown type: ${data}`);
        yield event(kind, kind === "text" ? of.textOf(one) : "", of.reasonOf(one));
      }
    },
    whole: async (server, tokens) => of.wholeOf((await server.post(path, body(tokens))).json),
  };
}

const REALTIME: Readonly<Record<string, Kind>> = {
  "response.created": "start",
  "response.output_item.added": "open",
  "conversation.item.added": "open",
  "response.content_part.added": "open",
  "response.output_text.delta": "text",
  "response.output_text.done": "close",
  "response.content_part.done": "close",
  "response.output_item.done": "close",
  "conversation.item.done": "close",
  "response.done": "done",
  error: "error",
};

async function* spoken(server: TestServer, tokens: number): AsyncGenerator<WireEvent> {
  const socket = new WebSocket(`${server.url.replace("http", "ws")}/v1/realtime`);
  const events: Json[] = [];
  let wake = (): void => {};
  socket.on("message", (data) => {
    events.push(JSON.parse(String(data)));
    wake();
  });
  await new Promise((resolve, reject) => socket.once("open", resolve).once("error", reject));
  const content = [{ type: "input_text", text: "Tell me of the sea." }];
  const item = { type: "message", role: "user", content };
  socket.send(JSON.stringify({ type: "conversation.item.create", item }));
  const response = { max_output_tokens: tokens };
  socket.send(JSON.stringify({ type: "response.create", response }));
  try {
    for (let begun = false; ; ) {
      const one = events.shift();
      if (one === undefined) {
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
        continue;
      }
      begun ||= one.type === "response.created";
      const kind = REALTIME[one.type];
      if (!begun) continue; // the session's and the question's own events
      if (kind === undefined) throw new Error(`An event of an unknown type: ${one.type}`);
      const details = one.response?.status_details;
      const failed = kind === "done" && one.response.status === "failed";
      yield event(failed ? "error" : kind, one.delta ?? details?.error?.message, details?.reason);
      if (kind === "done") return;
    }
  } finally {
    socket.close();
  }
}

export const FORMATS: Readonly<Record<string, WireFormat>> = {
  "/v1/chat/completions": chunked(
    "/v1/chat/completions",
    (max_tokens) => ({ messages, max_tokens, ...drawn }),
    (choice) => choice.delta?.content ?? choice.message?.content ?? "",
  ),
  "/v1/completions": chunked(
    "/v1/completions",
    (max_tokens) => ({ prompt: "Tell me of the sea.", max_tokens, ...drawn }),
    (choice) => choice.text,
  ),
  "/inference/v1/generate": chunked(
    "/inference/v1/generate",
    (max_tokens) => ({ token_ids: [5, 6, 7, 8], sampling_params: { max_tokens, ...drawn } }),
    (choice) => (choice.token_ids ?? []).map((id: number) => `${id} `).join(""),
  ),
  "/v1/messages": typed(
    "/v1/messages",
    (max_tokens) => ({ model: "m", messages, max_tokens, temperature: 0, ignore_eos: true }),
    {
      cut: "max_tokens",
      kinds: {
        message_start: "start",
        content_block_start: "open",
        content_block_delta: "text",
        content_block_stop: "close",
        message_delta: "finish",
        message_stop: "done",
        error: "error",
      },
      textOf: ({ delta }) => delta.text,
      reasonOf: ({ delta }) => delta?.stop_reason,
      wholeOf: ({ content }) => content[0].text,
    },
  ),
  "/v1/responses": typed(
    "/v1/responses",
    (max_output_tokens) => ({ input: messages, max_output_tokens, ...drawn }),
    {
      cut: "max_output_tokens",
      kinds: {
        "response.created": "start",
        "response.in_progress": "start",
        "response.output_item.added": "open",
        "response.content_part.added": "open",
        "response.output_text.delta": "text",
        "response.output_text.done": "close",
        "response.content_part.done": "close",
        "response.output_item.done": "close",
        "response.completed": "done",
        "response.incomplete": "done",
        "response.failed": "error",
      },
      textOf: ({ delta }) => delta,
      reasonOf: ({ response }) => response?.incomplete_details?.reason,
      wholeOf: ({ output }) => output[0].content[0].text,
    },
  ),
  "/v1/realtime": { cut: "max_output_tokens", stream: spoken },
};
