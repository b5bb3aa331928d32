/** Beam search: the likeliest outputs, found again by trying all of them. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { startServer, type TestServer } from "../support/server.ts";

let server: TestServer;
beforeAll(async () => {
  server = await startServer(["--device", "cpu", "--served-model-name", "m"]);
});
afterAll(() => server.stop(0));

const search = {
  ...{ model: "m", prompt: "Once upon a", use_beam_search: true, max_tokens: 4 },
  ...{ ignore_eos: true, return_token_ids: true, logprobs: 1 },
};

interface Choice {
  readonly token_ids: readonly number[];
  readonly finish_reason: string;
  readonly logprobs: { readonly token_logprobs: readonly number[] };
}

const choices = async (body: object): Promise<readonly Choice[]> =>
  (await server.post("/v1/completions", { ...search, ...body })).json.choices;
const sum = ({ logprobs }: Choice): number =>
  logprobs.token_logprobs.reduce((all, one) => all + one, 0);

describe("beam search", () => {
  it("tells sums that the model itself gives to these ids", async () => {
    const found = await choices({ n: 3 });
    expect(found.map(sum)).toEqual(found.map(sum).sort((a, b) => b - a));
    expect(new Set(found.map(({ token_ids: ids }) => ids.join())).size).toBe(3);
    const prompt = (await server.post("/tokenize", { prompt: search.prompt })).json.tokens;
    for (const one of found) {
      const scored = await server.post("/v1/completions", {
        ...{ model: "m", prompt: [...prompt, ...one.token_ids], echo: true, max_tokens: 0 },
        ...{ logprobs: 0, add_special_tokens: false },
      });
      const own = scored.json.choices[0].logprobs.token_logprobs.slice(-one.token_ids.length);
      expect(own.reduce((all: number, value: number) => all + value, 0)).toBeCloseTo(sum(one), 3);
    }
  });

  it("refuses a penalty whose power is no number", async () => {
    for (const penalty of [1e300, 1e5, -1e300]) {
      const { status, json } = await server.post("/v1/completions", {
        ...{ ...search, n: 2, length_penalty: penalty },
      });
      expect([status, json.error.type, json.error.param]).toEqual([400, "BadRequestError", null]);
      expect(json.error.message).toBe("(34, 'Numerical result out of range')");
    }
    expect(await choices({ n: 2, length_penalty: 100 })).toHaveLength(2);
  });

  it("is never worse than going greedily, and with one beam the same", async () => {
    const greedy = { use_beam_search: false, temperature: 0 };
    const [alone] = await choices(greedy);
    expect((await choices({ n: 1 }))[0]?.token_ids).toEqual(alone?.token_ids);
    const [best] = await choices({ n: 5 });
    expect(best && sum(best)).toBeGreaterThanOrEqual((alone && sum(alone)) ?? 0);
  });

  it("sets beams aside that end, with their end where that is asked for", async () => {
    const body = {
      ...{ model: "m", messages: [{ role: "user", content: "hi" }], use_beam_search: true },
      ...{ max_tokens: 40, n: 3, return_token_ids: true },
    };
    const talk = async (more: object = {}): Promise<readonly Choice[]> =>
      (await server.post("/v1/chat/completions", { ...body, ...more })).json.choices;
    const found = await talk();
    expect(found).toHaveLength(3);
    expect(found.map(({ finish_reason: reason }) => reason)).toContain("stop");
    const included = await talk({ include_stop_str_in_output: true });
    for (const [at, { finish_reason: reason, token_ids: ids }] of found.entries()) {
      const more = reason === "stop" ? 1 : 0;
      expect(included[at]?.token_ids.length).toBe(ids.length + more);
      expect(included[at]?.token_ids.slice(0, ids.length)).toEqual(ids);
    }
  });

  it("frees everything when the client leaves", async () => {
    const abort = new AbortController();
    const body = JSON.stringify({ ...search, max_tokens: 400, n: 4 });
    const asked = fetch(`${server.url}/v1/completions`, {
      ...{ method: "POST", body, signal: abort.signal },
      headers: { "content-type": "application/json" },
    });
    await expect.poll(() => server.world.serving.engines.running).toBeGreaterThan(1);
    abort.abort();
    await expect(asked).rejects.toThrow();
    await expect.poll(() => server.world.serving.engines.running).toBe(0);
    await expect.poll(() => server.world.serving.engines.kvUsage).toBe(0);
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(server.world.serving.engines.running).toBe(0);
  });

  it.each([
    [{ n: 0 }, "beam_width must be at least 1"],
    [{ n: 11 }, "greater than max allowed"],
    [{ stream: true }, "not currently supported with beam search"],
    [{ structured_outputs: { choice: ["a"] } }, "does not support structured outputs"],
  ])("refuses %j", async (body, words) => {
    const { status, json } = await server.post("/v1/completions", { ...search, ...body });
    expect(status).toBe(400);
    expect(json.error.message).toContain(words);
  });
});
