/** /v1/responses: items, kept responses, background, and what a client that leaves frees. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { holdDevice } from "../support/held-device.ts";
import { startServer, type TestServer } from "../support/server.ts";

let server: TestServer;
beforeAll(async () => {
  server = await startServer([
    ...["models/tiny/llama", "--device", "null", "--served-model-name", "tiny"],
    ...["--enable-auto-tool-choice", "--tool-call-parser", "hermes", "--api-key", "k"],
    ...["--responses-store-entries", "4"],
  ]);
});
afterAll(() => server.stop(0));

const key = { authorization: "Bearer k" };
const ask = { input: "hello", max_output_tokens: 4, ignore_eos: true, seed: 1 };
const post = (path: string, body: object) => server.post(path, body, key);
const get = async (path: string) => {
  const response = await fetch(`${server.url}${path}`, { headers: key });
  const text = await response.text();
  return { status: response.status, text, json: text.startsWith("{") ? JSON.parse(text) : {} };
};

interface Event {
  readonly type: string;
  readonly sequence_number: number;
  readonly response?: { readonly id: string; readonly status: string; readonly output: object[] };
}

function eventsOf(text: string): readonly Event[] {
  return text
    .split("\n\n")
    .filter((event) => event !== "")
    .map((event) => {
      const [first = "", second = ""] = event.split("\n");
      const data: Event = JSON.parse(second.slice("data: ".length));
      expect(first).toBe(`event: ${data.type}`);
      return data;
    });
}

describe("/v1/responses", () => {
  it("writes floats as vLLM does, wherever a response is told", async () => {
    const floats = '"temperature":1.0,"tool_choice":"none","tools":[],"top_p":1.0,';
    const whole = await post("/v1/responses", { ...ask, temperature: 1, top_p: 1 });
    expect(whole.text).toContain(floats);
    expect(whole.text).toContain('"presence_penalty":0.0,"frequency_penalty":0.0,');
    expect((await get(`/v1/responses/${whole.json.id}`)).text).toBe(whole.text);
    const stream = await post("/v1/responses", { ...ask, temperature: 1, top_p: 1, stream: true });
    expect(stream.text.split(floats)).toHaveLength(4);
  });

  it("needs a key on every route of it", async () => {
    for (const path of ["/v1/responses/x", "/v1/responses/x?stream=true"]) {
      expect((await server.get(path)).status).toBe(401);
    }
    for (const path of ["/v1/responses", "/v1/responses/x/cancel"]) {
      expect((await server.post(path, ask)).status).toBe(401);
    }
  });

  it.each([
    [{ input: "x", previous_response_id: "" }, 404, "invalid_request_error", "response_id"],
    [{ input: "x", priority: 1e20 }, 400, "Bad Request", "body.priority"],
    [{ input: "x", tools: 5 }, 400, "BadRequestError", null],
    [{ input: "x", tools: true }, 400, "BadRequestError", null],
  ])("refuses %j as vLLM does", async (body, status, type, param) => {
    const { json } = await post("/v1/responses", body);
    expect(json.error).toMatchObject({ type, param, code: status });
  });

  it.each([
    { role: "user", content: [{ type: "text", text: "x" }] },
    { role: "user", content: [{ type: "input_text" }] },
    { role: "user", content: [{ type: "output_text", text: "x" }] },
    { role: "user", content: [{ type: "refusal", refusal: "no" }] },
    { role: "assistant", content: [{ type: "output_text", text: "x" }] },
    { role: "assistant", type: "message", content: [{ text: "x" }] },
  ])("refuses the parts of %j as vLLM does", async (item) => {
    const { json } = await post("/v1/responses", { input: [item] });
    expect(json.error).toMatchObject({ type: "Bad Request", param: "body.input", code: 400 });
  });

  it("counts the choice that it added among the fields of a body without input", async () => {
    const { json } = await post("/v1/responses", { temperature: 0 });
    expect(json.error.message).toContain("'input': '<dict of 2 items>'");
  });

  it("numbers its events and ends with the whole response", async () => {
    const { text, headers } = await post("/v1/responses", { ...ask, stream: true });
    expect(headers.get("content-type")).toContain("text/event-stream");
    const events = eventsOf(text);
    expect(events.map((event) => event.sequence_number)).toEqual(events.map((_, i) => i));
    expect(events.map((event) => event.type).filter((type) => !type.endsWith("delta"))).toEqual([
      "response.created",
      "response.in_progress",
      "response.output_item.added",
      "response.content_part.added",
      "response.output_text.done",
      "response.content_part.done",
      "response.output_item.done",
      "response.completed",
    ]);
    const done = events.find((event) => event.type === "response.output_item.done");
    expect(done).toMatchObject({ item: { content: [{ type: "output_text", logprobs: null }] } });
    const last = events.at(-1)?.response;
    expect(last).toMatchObject({ status: "incomplete", output: [{ type: "message" }] });
    expect((await get(`/v1/responses/${last?.id}`)).json).toEqual(last);
  });

  it("goes on from an earlier response, and from its items", async () => {
    const first = (await post("/v1/responses", { ...ask, instructions: "Be brief." })).json;
    const alone = (await post("/v1/responses", ask)).json.usage.input_tokens;
    const next = { ...ask, input: "and then", previous_response_id: first.id };
    const second = (await post("/v1/responses", next)).json;
    expect(second.previous_response_id).toBe(first.id);
    expect(second.usage.input_tokens).toBeGreaterThan(alone + first.usage.output_tokens);
    const reference = { type: "item_reference", id: first.output[0].id };
    const again = [{ role: "user", content: "hello" }, reference, { role: "user", content: "and" }];
    expect((await post("/v1/responses", { ...ask, input: again })).status).toBe(200);
    const unknown = { ...ask, input: [{ type: "item_reference", id: "msg_none" }] };
    expect((await post("/v1/responses", unknown)).status).toBe(400);
  });

  it("does not keep what it is told not to keep, and no more than it may", async () => {
    const { id } = (await post("/v1/responses", { ...ask, store: false })).json;
    expect((await get(`/v1/responses/${id}`)).status).toBe(404);
    const ids: string[] = [];
    for (let i = 0; i < 6; i++) ids.push((await post("/v1/responses", ask)).json.id);
    const found = await Promise.all(
      ids.map(async (one) => (await get(`/v1/responses/${one}`)).status),
    );
    expect(found).toEqual([404, 404, 200, 200, 200, 200]);
  });

  it("runs in the background, watched from any event on", async () => {
    const body = { ...ask, background: true, stream: true };
    const events = eventsOf((await post("/v1/responses", body)).text);
    const id = events[0]?.response?.id;
    expect(events.at(-1)?.type).toBe("response.completed");
    const rest = eventsOf((await get(`/v1/responses/${id}?stream=true&starting_after=3`)).text);
    expect(rest).toEqual(events.slice(4));
    const queued = (await post("/v1/responses", { ...ask, background: true })).json;
    expect(queued).toMatchObject({ status: "queued", output: [], background: true });
    await expect
      .poll(async () => (await get(`/v1/responses/${queued.id}`)).json.status)
      .toBe("incomplete");
  });

  it("answers at once who watches for events to come", async () => {
    const held = holdDevice(server);
    const body = { ...ask, background: true, stream: true, request_id: "resp_held" };
    const whole = post("/v1/responses", body);
    await expect.poll(() => held.steps).toBeGreaterThan(0);
    const path = `${server.url}/v1/responses/resp_held?stream=true&starting_after=9999`;
    const coming = await fetch(path, { headers: key });
    expect(coming.headers.get("content-type")).toContain("text/event-stream");
    held.release();
    expect(await coming.text()).toBe("");
    expect(eventsOf((await whole).text).at(-1)?.type).toBe("response.completed");
  });

  it("is cancelled, and frees its blocks", async () => {
    const held = holdDevice(server);
    const { id } = (await post("/v1/responses", { ...ask, background: true })).json;
    await expect.poll(() => held.steps).toBeGreaterThan(0);
    const cancelled = await post(`/v1/responses/${id}/cancel`, {});
    expect(cancelled.json).toMatchObject({ id, status: "cancelled" });
    expect((await get(`/v1/responses/${id}`)).json.status).toBe("cancelled");
    held.release();
    await expect.poll(() => server.metric("vllm:num_requests_running")).toBe(0);
    expect(await server.metric("vllm:kv_cache_usage_perc")).toBe(0);
    expect((await post(`/v1/responses/${id}/cancel`, {})).json.error).toMatchObject({
      type: "invalid_request_error",
      param: "response_id",
    });
  });

  it.each([
    [{ input: 5 }, "body.input"],
    [{ input: [{ type: "nope" }] }, "body.input"],
    [{ input: [{ role: "user" }] }, "body.input"],
    [{ input: "a", tools: [{ type: "function" }] }, "body.tools.0.FunctionTool.name"],
    [{ input: "a", tool_choice: "required" }, "tool_choice"],
    [{ input: "a", background: true, store: false }, "background"],
    [{ input: "a", prompt: { id: "p" } }, "prompt"],
    [{ input: "a", max_output_tokens: 10 ** 6 }, "max_output_tokens"],
    [{ input: "a", kv_transfer_params: { a: 1 } }, "kv_transfer_params"],
  ])("refuses %j, naming %s", async (body, param) => {
    const { status, json } = await post("/v1/responses", body);
    expect([status, json.error.param]).toEqual([400, param]);
  });
});
