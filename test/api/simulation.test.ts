import { describe, expect, it } from "vitest";
import { parseSettings } from "../../server/config.ts";
import { buildWorld } from "../../server/world/world.ts";
import { startServer } from "../support/server.ts";

const QWEN = ["Qwen/Qwen3-0.6B", "--device", "trainium", "--time-scale", "0.01"];

describe("a simulated machine says what it is", () => {
  it("in a header and in /v1/models, and takes ids of the served model's vocabulary", async () => {
    const server = await startServer([...QWEN, "--values", "bundled"]);
    const said = /^time of trn2\.3xlarge at TP 1; words of trainyard-\w+; tokens of trainyard-\w+$/;
    const models = await server.get("/v1/models");
    expect(models.headers.get("x-trainyard-simulation")).toMatch(said);
    expect(models.json.data[0].simulation).toMatch(said);
    const { decode, prefill, serving, extrapolated } = models.json.data[0].simulation_bands;
    for (const { tier, factor } of [decode, prefill, serving]) {
      expect(["calibrated", "related", "unknown"]).toContain(tier);
      expect(factor).toBeGreaterThan(1);
    }
    expect(extrapolated).toBeUndefined();
    const { text: metrics } = await server.get("/metrics");
    expect(metrics).toContain(
      `trainyard:prediction_band_factor{model_name="Qwen/Qwen3-0.6B",predicted="decode",tier="${decode.tier}",extrapolated="false"} ${decode.factor}`,
    );
    const ask = (id: number) =>
      server.post("/v1/completions", { prompt: [5, id, 150_000], max_tokens: 3, ignore_eos: true });
    const { status, json } = await ask(151_935);
    expect([status, json.usage?.prompt_tokens, json.usage?.completion_tokens]).toEqual([200, 3, 3]);
    expect((await ask(151_936)).text).toMatch(/out of vocabulary/);
    await server.stop(0);
  });

  it.each([
    ["eagle3", []],
    ["mtp", ["--tokenizer", "models/tiny/qwen2/tokenizer.json"]],
  ])("holds drafts of %s at the rate it is told, and says the same words", async (method, more) => {
    const ask = { prompt: "Once upon a time", max_tokens: 50, ignore_eos: true, temperature: 0 };
    const said = async (rate: number) => {
      const config = { method, num_speculative_tokens: 3, acceptance_rate: rate, adaptive: false };
      const flags = ["--values", "bundled", "--speculative-config", JSON.stringify(config)];
      const server = await startServer([...QWEN, ...more, ...flags]);
      const { json } = await server.post("/v1/completions", ask);
      const { text } = await server.get("/metrics");
      await server.stop(0);
      const counted = (name: string): number =>
        Number(
          new RegExp(`^vllm:spec_decode_num_${name}_total\\{.*\\} (\\d+)`, "m").exec(text)?.[1],
        );
      return {
        words: json.choices[0].text,
        drafted: counted("draft_tokens"),
        accepted: counted("accepted_tokens"),
      };
    };
    const [all, none] = [await said(1), await said(0)];
    // The last step may draft more than the answer has room for.
    expect(all.accepted).toBeGreaterThanOrEqual(all.drafted - 3);
    expect(all.accepted).toBeGreaterThan(30);
    expect(none.accepted).toBe(0);
    expect(none.drafted).toBeGreaterThan(100);
    expect(all.words).toBe(none.words);
  });

  it("tells its words again in the ids of a given tokenizer, be it a file", async () => {
    const file = "models/tiny/qwen2/tokenizer.json";
    const server = await startServer([...QWEN, "--tokenizer", file]);
    const { headers } = await server.get("/health");
    expect(headers.get("x-trainyard-simulation")).toMatch(/words of \S+; tokens of the given/);
    const prompt = "Once upon a time, there was a little dog";
    const ask = { prompt, max_tokens: 60, ignore_eos: true };
    const { json } = await server.post("/v1/completions", ask);
    expect(json.usage.completion_tokens).toBe(60);
    const words: string[] = json.choices[0].text.match(/\b[a-z]{2,}\b/g) ?? [];
    expect(words.length).toBeGreaterThan(5);
    expect(words.some((word) => ["the", "and", "was", "to", "named"].includes(word))).toBe(true);
    const refused = {
      prompt_logprobs: 1,
      logprobs: 1,
      response_format: { type: "json_object" },
      structured_outputs: { regex: "a+" },
    };
    for (const [param, value] of Object.entries(refused)) {
      const answer = await server.post("/v1/completions", { ...ask, [param]: value });
      expect([answer.status, answer.json.error.param.split(".")[0]]).toEqual([400, param]);
    }
    const text = await server.post("/v1/completions", {
      ...ask,
      response_format: { type: "text" },
    });
    expect(text.status).toBe(200);
    await server.stop(0);
  });

  it("of synthetic ids; and refuses words of weights that are not there", async () => {
    const server = await startServer([...QWEN, "--values", "synthetic"]);
    const { headers } = await server.get("/health");
    expect(headers.get("x-trainyard-simulation")).toMatch(
      /synthetic ids; four bytes of text a token$/,
    );
    const ask = { prompt: [1, 2, 3], max_tokens: 2, logprobs: 1 };
    expect((await server.post("/v1/completions", ask)).status).toBe(400);
    const text = { prompt: "Ünïcode, 22 bytes lo", max_tokens: 5, ignore_eos: true };
    const { json } = await server.post("/v1/completions", text);
    expect([json.usage.prompt_tokens, json.usage.completion_tokens]).toEqual([6, 5]);
    expect(json.choices[0].text).toMatch(/^([a-z]{3} ){5}$/);
    const messages = [{ role: "user", content: "Hello" }];
    const chat = { messages, max_tokens: 4, ignore_eos: true };
    const answer = await server.post("/v1/chat/completions", chat);
    expect(answer.json.usage).toMatchObject({ prompt_tokens: 6, completion_tokens: 4 });
    expect(answer.json.choices[0].message.content).toMatch(/^([a-z]{3} ){4}$/);
    await server.stop(0);
    const { settings } = parseSettings([...QWEN, "--values", "weights"]);
    await expect(buildWorld(settings)).rejects.toThrow(/--values weights: the model has none/);
  });

  it("and a real device says nothing", async () => {
    const server = await startServer();
    const { headers, json } = await server.get("/v1/models");
    expect(headers.get("x-trainyard-simulation")).toBeNull();
    expect(json.data[0]).not.toHaveProperty("simulation");
    expect(json.data[0]).not.toHaveProperty("simulation_bands");
    expect((await server.get("/metrics")).text).not.toContain("prediction_band_factor");
    await server.stop(0);
  });
});
