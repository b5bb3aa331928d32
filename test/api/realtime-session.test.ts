/** A realtime session over the whole server, its socket aside: what each event does, and what it is refused for. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { RealtimeBytes } from "../../server/openai/realtime/bytes.ts";
import { RealtimeSession } from "../../server/openai/realtime/session.ts";
import { holdDevice } from "../support/held-device.ts";
import { startServer, type TestServer } from "../support/server.ts";

let server: TestServer;
beforeAll(async () => {
  server = await startServer();
});
afterAll(() => server.stop(0));

interface Event {
  readonly type: string;
  /** Whatever it holds: assertions say what a test expects. */
  readonly [field: string]: ReturnType<typeof JSON.parse>;
}

/** A session whose client reads at once, unless `blocked`. */
function opened(bytes = new RealtimeBytes()) {
  const sent: Event[] = [];
  const socket = {
    ...{ blocked: false, faults: [] as Error[] },
    send: (text: string) => void sent.push(JSON.parse(text)),
    report: (error: Error) => void socket.faults.push(error),
  };
  const session = new RealtimeSession(server.world.serving, socket, {
    ...{ model: undefined, bytes: bytes.open() },
  });
  const send = (event: object) => session.receive(JSON.stringify(event));
  /** The events that come of it, until one of this type. */
  const until = async (type: string, event: object): Promise<Event> => {
    const before = sent.length;
    await send(event);
    await expect.poll(() => sent.slice(before).some((one) => one.type === type)).toBe(true);
    return sent.slice(before).find((one) => one.type === type) ?? { type };
  };
  const say = (text: string) =>
    send({
      type: "conversation.item.create",
      item: { type: "message", role: "user", content: [{ type: "input_text", text }] },
    });
  return { sent, socket, session, send, until, say };
}

const idle = () => expect.poll(() => server.world.serving.engines.running).toBe(0);

describe("a realtime session", () => {
  it("takes settings one by one, and keeps those that are not named", async () => {
    const { until } = opened();
    const tool = { type: "function", name: "look", parameters: { type: "object" } };
    const update = async (session: object) =>
      (await until("session.updated", { type: "session.update", session }))["session"];
    const first = await update({ tool_choice: "required", tools: [tool], temperature: 0.5 });
    expect(first).toMatchObject({
      ...{ tool_choice: "required", instructions: "", max_output_tokens: "inf", temperature: 0.5 },
      tools: [{ type: "function", function: { name: "look", parameters: { type: "object" } } }],
    });
    const second = await update({ instructions: "Be brief.", max_response_output_tokens: 3 });
    expect(second).toMatchObject({
      ...{ tool_choice: "required", instructions: "Be brief.", max_output_tokens: 3 },
    });
    expect(second.tools).toHaveLength(1);
    const named = await update({ tool_choice: { type: "function", name: "look" } });
    expect(named.tool_choice).toEqual({ type: "function", function: { name: "look" } });
  });

  it.each([
    [{ temperature: "hot" }, "invalid_value", "session.temperature"],
    [{ tools: {} }, "invalid_value", "session.tools"],
    [{ tools: [{ type: "web" }] }, "invalid_value", "session.tools[0].type"],
    [{ max_output_tokens: 0 }, "invalid_value", "session.max_output_tokens"],
    [{ max_output_tokens: 1.5 }, "invalid_value", "session.max_output_tokens"],
    [{ output_modalities: ["audio"] }, undefined, "session.output_modalities"],
    [{ modalities: ["text", "audio"] }, undefined, "session.output_modalities"],
    [{ audio: { input: {} } }, undefined, "session.audio"],
    [{ type: "transcription" }, undefined, "session.type"],
  ])("refuses settings by name: %j", async (session, code, param) => {
    const { until } = opened();
    const event = { type: "session.update", session, event_id: "mine" };
    const { error } = await until("error", event);
    expect(error).toMatchObject({ type: "invalid_request_error", param, event_id: "mine" });
    if (code !== undefined) expect(error.code).toBe(code);
  });

  it("answers, and cancels what runs: with its id, or with none", async () => {
    const { sent, until, send, say } = opened();
    await say("Tell me a story.");
    const done = await until("response.done", {
      type: "response.create",
      response: { max_output_tokens: 4 },
    });
    expect(done["response"]).toMatchObject({ usage: { output_tokens: 4 } });
    for (const named of [true, false]) {
      const before = sent.length;
      const held = holdDevice(server);
      await send({ type: "response.create" });
      const created = sent.slice(before).find(({ type }) => type === "response.created");
      const id = created?.["response"].id;
      const wrong = await until("error", { type: "response.cancel", response_id: "resp_other" });
      expect(wrong["error"].code).toBe("response_cancel_not_active");
      const twice = await until("error", { type: "response.create" });
      expect(twice["error"].code).toBe("conversation_already_has_active_response");
      const ending = until("response.done", {
        type: "response.cancel",
        ...(named && { response_id: id }),
      });
      held.release();
      const ended = await ending;
      expect(ended["response"]).toMatchObject({ id, status: "cancelled" });
    }
    const none = await until("error", { type: "response.cancel" });
    expect(none["error"].code).toBe("response_cancel_not_active");
    await idle();
  });

  it("may answer beside the conversation, which then keeps nothing of it", async () => {
    const { until, say } = opened();
    await say("one");
    const ask = (response: object) =>
      until("response.done", {
        type: "response.create",
        response: { max_output_tokens: 3, ...response },
      });
    const tokens = async (response: object): Promise<number> =>
      (await ask(response))["response"].usage.input_tokens;
    const first = await tokens({ conversation: "none" });
    expect(await tokens({ conversation: "none" })).toBe(first);
    const input = [
      { type: "message", role: "user", content: [{ type: "input_text", text: "a b c d e f" }] },
    ];
    expect(await tokens({ conversation: "none", input })).not.toBe(first);
    await tokens({});
    // What was said stands in the prompt of the next.
    expect(await tokens({ conversation: "none" })).toBeGreaterThan(first);
  });

  it("gives back items and takes them out by id, and names what is none", async () => {
    const { sent, until, say } = opened();
    await say("keep me");
    const item = sent.findLast(({ type }) => type === "conversation.item.added")?.["item"];
    const found = await until("conversation.item.retrieved", {
      ...{ type: "conversation.item.retrieve", item_id: item.id },
    });
    expect(found["item"]).toEqual(item);
    await until("conversation.item.deleted", {
      type: "conversation.item.delete",
      item_id: item.id,
    });
    for (const type of ["conversation.item.retrieve", "conversation.item.delete"]) {
      const { error } = await until("error", { type, item_id: item.id });
      expect(error.type).toBe("invalid_request_error");
    }
    expect((await until("error", { type: "input_audio_buffer.append" }))["error"].message).toMatch(
      /input_audio_buffer\.append/,
    );
    expect((await until("error", { type: "no.such" }))["error"].code).toBe("unknown_event");
  });

  it("when it is closed frees what runs and what it held, and says nothing more", async () => {
    const bytes = new RealtimeBytes();
    const { sent, session, send, say } = opened(bytes);
    await say("hello");
    expect(bytes.held).toBeGreaterThan(0);
    const held = holdDevice(server);
    await send({ type: "response.create" });
    session.close();
    const said = sent.length;
    held.release();
    await idle();
    expect(bytes.held).toBe(0);
    await say("too late");
    session.close();
    expect(sent.length).toBe(said);
    expect(bytes.held).toBe(0);
  });
});
