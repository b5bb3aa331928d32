/** A scripted realtime session over a real WebSocket, as OpenAI's text mode has it. */
import { afterAll, beforeAll, expect, it } from "vitest";
import { WebSocket } from "ws";
import { type CompatServer, compatServer, untilIdle, WEATHER } from "./support.ts";

let server: CompatServer;

beforeAll(async () => {
  server = await compatServer();
});

afterAll(() => server.stop(0));

interface Event {
  readonly type: string;
  readonly [field: string]: unknown;
}

class Session {
  readonly events: Event[] = [];
  readonly socket: WebSocket;
  #seen = 0;

  constructor(query = "") {
    this.socket = new WebSocket(`${server.url.replace("http", "ws")}/v1/realtime${query}`);
    this.socket.on("message", (data) => this.events.push(JSON.parse(String(data)) as Event));
  }

  send(event: object): void {
    this.socket.send(JSON.stringify(event));
  }

  say(text: string): void {
    this.send({
      type: "conversation.item.create",
      item: { type: "message", role: "user", content: [{ type: "input_text", text }] },
    });
  }

  /** The next event of the type, past those already waited for. */
  async next(type: string): Promise<Event> {
    await expect
      .poll(() => this.events.findIndex((event, i) => i >= this.#seen && event.type === type), {
        timeout: 20_000,
      })
      .toBeGreaterThanOrEqual(0);
    const at = this.events.findIndex((event, i) => i >= this.#seen && event.type === type);
    this.#seen = at + 1;
    return this.events[at] ?? { type };
  }
}

interface Done {
  readonly status: string;
  readonly status_details: { readonly reason?: string } | null;
  readonly usage: { readonly output_tokens: number; readonly input_tokens: number };
  readonly output: readonly {
    readonly type: string;
    readonly content?: readonly { readonly text: string }[];
    readonly arguments?: string;
  }[];
}

const done = async (session: Session): Promise<Done> =>
  (await session.next("response.done"))["response"] as Done;

it("holds two turns, an unknown event and a cancelled one", async () => {
  const session = new Session();
  const created = await session.next("session.created");
  expect(created["session"]).toMatchObject({
    type: "realtime",
    model: server.model,
    output_modalities: ["text"],
  });
  session.send({
    type: "session.update",
    session: { type: "realtime", instructions: "Be brief.", max_output_tokens: 12 },
  });
  expect((await session.next("session.updated"))["session"]).toMatchObject({
    instructions: "Be brief.",
    max_output_tokens: 12,
  });

  session.say("Tell me a story about a dog.");
  expect((await session.next("conversation.item.added"))["previous_item_id"]).toBeNull();
  session.send({ type: "response.create" });
  const first = await done(session);
  const types = session.events
    .map((event) => event.type)
    .filter((type) => type.startsWith("response."));
  const order = types.filter((type, i) => type !== types[i - 1]);
  expect(order).toEqual([
    "response.created",
    "response.output_item.added",
    "response.content_part.added",
    "response.output_text.delta",
    "response.output_text.done",
    "response.content_part.done",
    "response.output_item.done",
    "response.done",
  ]);
  const deltas = session.events.filter((event) => event.type === "response.output_text.delta");
  expect(first.output[0]?.content?.[0]?.text).toBe(deltas.map((event) => event["delta"]).join(""));
  expect(first.usage.output_tokens).toBeLessThanOrEqual(12);

  session.send({ type: "no.such.event", event_id: "mine" });
  expect((await session.next("error"))["error"]).toMatchObject({
    code: "unknown_event",
    event_id: "mine",
    type: "invalid_request_error",
  });

  session.say("And another, about a cat.");
  session.send({ type: "response.create", response: { max_output_tokens: 9 } });
  const second = await done(session);
  // The whole conversation is in the second prompt.
  expect(second.usage.input_tokens).toBeGreaterThan(first.usage.input_tokens);

  session.send({ type: "response.create", response: { max_output_tokens: "inf" } });
  session.send({ type: "response.create" });
  expect((await session.next("error"))["error"]).toMatchObject({
    code: "conversation_already_has_active_response",
  });
  session.send({ type: "response.cancel" });
  const third = await done(session);
  expect(["cancelled", "completed"]).toContain(third.status);
  session.send({ type: "response.cancel" });
  expect((await session.next("error"))["error"]).toMatchObject({
    code: "response_cancel_not_active",
  });
  await untilIdle(server);
  session.socket.close();
});

it("cancels in the middle", async () => {
  const session = new Session();
  session.socket.on("open", () => {
    session.say("Tell me a long story.");
    // Held to digits, the answer does not end by itself.
    session.send({
      type: "response.create",
      response: { tools: [DIGITS], tool_choice: "required" },
    });
  });
  await session.next("response.function_call_arguments.delta");
  session.send({ type: "response.cancel" });
  const response = await done(session);
  expect(response).toMatchObject({
    status: "cancelled",
    status_details: { reason: "client_cancelled" },
  });
  await untilIdle(server);
  session.socket.close();
});

it("calls functions", async () => {
  const session = new Session(`?model=${encodeURIComponent(server.model)}`);
  await session.next("session.created");
  const { name, parameters } = WEATHER.function;
  session.send({
    type: "session.update",
    session: {
      type: "realtime",
      tools: [{ type: "function", name, parameters }],
      tool_choice: "required",
    },
  });
  session.say("The weather in Oslo?");
  session.send({ type: "response.create" });
  const call = await session.next("response.function_call_arguments.done");
  expect(JSON.parse(String(call["arguments"]))).toMatchObject({ city: expect.any(String) });
  expect((await done(session)).output[0]).toMatchObject({ type: "function_call", name });
  session.socket.close();
});

it("says that audio is not supported, and what is wrong with an event", async () => {
  const session = new Session();
  await session.next("session.created");
  session.send({ type: "input_audio_buffer.append", audio: "AAAA" });
  expect((await session.next("error"))["error"]).toMatchObject({ code: "audio_not_supported" });
  session.send({ type: "session.update", session: { output_modalities: ["audio"] } });
  expect((await session.next("error"))["error"]).toMatchObject({
    code: "audio_not_supported",
    param: "session.output_modalities",
  });
  session.socket.send("not json");
  expect((await session.next("error"))["error"]).toMatchObject({ code: "invalid_json" });
  session.send({ type: "conversation.item.delete", item_id: "item_none" });
  expect((await session.next("error"))["error"]).toMatchObject({ code: "item_not_found" });
  session.socket.close();
});

it("refuses a model it does not serve", async () => {
  const session = new Session("?model=nobody");
  expect((await session.next("error"))["error"]).toMatchObject({ code: "model_not_found" });
  await expect.poll(() => session.socket.readyState).toBe(WebSocket.CLOSED);
});

it("waits for a slow reader, and frees its blocks when it leaves", async () => {
  const session = new Session();
  await session.next("session.created");
  session.say("Tell me a long story.");
  session.send({ type: "response.create", response: { tools: [DIGITS], tool_choice: "required" } });
  await session.next("response.function_call_arguments.delta");
  session.socket.pause();
  await expect.poll(() => server.world.serving.engines.kvUsage).toBeGreaterThan(0);
  session.socket.terminate();
  await untilIdle(server);
});

const DIGITS = {
  type: "function",
  name: "count",
  parameters: {
    type: "object",
    properties: { digits: { type: "array", items: { type: "integer" }, minItems: 5_000 } },
    required: ["digits"],
  },
};
