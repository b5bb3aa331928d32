/** Several conversations in one request, and labels scored after several items. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { startServer, type TestServer } from "../support/server.ts";

let server: TestServer;
beforeAll(async () => {
  server = await startServer(["models/tiny/llama", "--device", "cpu", "--served-model-name", "t"]);
});
afterAll(() => server.stop(0));

const said = (content: string) => [{ role: "user", content }];

describe("/v1/chat/completions/batch", () => {
  const path = "/v1/chat/completions/batch";

  it("answers each conversation as it would alone, in order", async () => {
    const more = { max_tokens: 5, temperature: 0, ignore_eos: true };
    const messages = [said("hello"), said("tell me"), said("hello")];
    const batch = (await server.post(path, { ...more, messages })).json;
    const alone = [];
    for (const one of messages) {
      alone.push((await server.post("/v1/chat/completions", { ...more, messages: one })).json);
    }
    const texts = (answers: readonly { readonly message: { readonly content: string } }[]) =>
      answers.map(({ message }) => message.content);
    expect(texts(batch.choices)).toEqual(alone.flatMap(({ choices }) => texts(choices)));
    expect(batch.choices.map(({ index }: { readonly index: number }) => index)).toEqual([0, 1, 2]);
    const total = alone.reduce((sum, { usage }) => sum + usage.total_tokens, 0);
    expect(batch.usage.total_tokens).toBe(total);
  });

  it.each([
    [{ messages: [] }, "body.messages"],
    [{ messages: [[]] }, "body.messages.0"],
    [{ messages: [said("a")], n: 2 }, "n"],
    [{ messages: [said("a")], use_beam_search: true }, "use_beam_search"],
    [
      { messages: [said("a"), [{ content: "a" }]] },
      "body.messages.1.0.ChatCompletionDeveloperMessageParam.role",
    ],
    [{ messages: Array.from({ length: 1025 }, () => said("a")) }, "messages"],
  ])("refuses %j", async (body, param) => {
    const { status, json } = await server.post(path, body);
    expect([status, json.error.param]).toEqual([400, param]);
    expect(server.world.serving.engines.waiting).toBe(0);
  });
});

it("a batch tells thoughts apart from text, or leaves them out where none are asked for", async () => {
  const thinking = await startServer([
    ...["models/tiny/llama", "--device", "cpu", "--reasoning-parser", "deepseek_r1"],
  ]);
  const ask = async (more: object) => {
    const body = { max_tokens: 5, temperature: 0, ignore_eos: true, ...more };
    const messages = [said("hello"), said("tell me")];
    const { json } = await thinking.post("/v1/chat/completions/batch", { ...body, messages });
    return json.choices.map(({ message }: { readonly message: object }) => message);
  };
  try {
    const [first, second] = await ask({});
    const alone = await thinking.post("/v1/chat/completions", {
      ...{ max_tokens: 5, temperature: 0, ignore_eos: true, messages: said("hello") },
    });
    const { reasoning } = alone.json.choices[0].message;
    expect(reasoning).not.toBe("");
    expect(first).toMatchObject({ content: "", reasoning });
    expect(second.reasoning).toEqual(expect.any(String));
    const hidden = await ask({ include_reasoning: false });
    expect(hidden).toMatchObject([
      { content: "", reasoning: null },
      { content: "", reasoning: null },
    ]);
  } finally {
    await thinking.stop(0);
  }
});

describe("/generative_scoring", () => {
  const path = "/generative_scoring";
  const ask = { query: "hello", items: ["a", "b"], label_token_ids: [5, 6, 7] };
  const scores = async (body: object): Promise<readonly number[]> =>
    (await server.post(path, { ...ask, ...body })).json.data.map(
      ({ score }: { readonly score: number }) => score,
    );

  it("shares out one among the labels", async () => {
    let sum = 0;
    for (const label_token_ids of [
      [5, 6, 7],
      [6, 5, 7],
      [7, 5, 6],
    ]) {
      sum += (await scores({ label_token_ids }))[0] ?? 0;
    }
    expect(sum).toBeCloseTo(1, 6);
    const [among = 0] = await scores({});
    const [alone = 0] = await scores({ apply_softmax: false });
    expect(alone).toBeLessThan(among);
    expect(alone).toBeGreaterThan(0);
  });

  it("reads ids and text alike, and the item on either side", async () => {
    const { json } = await server.post("/tokenize", { prompt: "hello" });
    expect(await scores({ query: json.tokens })).toEqual(await scores({}));
    expect(await scores({ item_first: true })).not.toEqual(await scores({}));
    expect(await scores({ items: ["a".repeat(20_000)] })).toHaveLength(1);
  });

  it.each([
    [{ label_token_ids: [] }, "label_token_ids must contain"],
    [{ label_token_ids: [10 ** 7] }, "out of vocabulary range"],
    [{ items: [] }, "items must contain"],
    [{ query: [10 ** 7] }, "out of vocabulary"],
    [{ cache_salt: "" }, "non-empty"],
  ])("refuses %j", async (body, words) => {
    const { status, json } = await server.post(path, { ...ask, ...body });
    expect(status).toBe(400);
    expect(json.error.message).toContain(words);
  });
});
