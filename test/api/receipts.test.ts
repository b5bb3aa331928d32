import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { startServer, type TestServer } from "../support/server.ts";

type Causes = Readonly<Record<string, number>>;

interface Metrics {
  readonly time_to_first_token_ms: number;
  readonly queue_time_ms: number;
  readonly generation_time_ms: number;
  readonly receipt_ns: { readonly time_to_first_token: Causes; readonly end_to_end: Causes };
  readonly receipt_bands?: { readonly serving: { readonly tier: string; readonly factor: number } };
}

/** Both receipts add up to their totals, and these are the response's own times. */
function check(metrics: Metrics): Metrics["receipt_ns"] {
  const { receipt_ns: receipt } = metrics;
  for (const { total, ...causes } of Object.values(receipt)) {
    expect(Object.values(causes).reduce((sum, nanos) => sum + nanos, 0)).toBe(total);
  }
  const first = metrics.queue_time_ms + metrics.time_to_first_token_ms;
  expect((receipt.time_to_first_token["total"] ?? 0) / 1e6).toBeCloseTo(first, 6);
  const whole = first + metrics.generation_time_ms;
  expect((receipt.end_to_end["total"] ?? 0) / 1e6).toBeCloseTo(whole, 6);
  return receipt;
}

const request = (prompt: number, tokens: number, more: object = {}) => ({
  prompt: Array.from({ length: prompt }, (_, index) => 10 + (index % 40)),
  max_tokens: tokens,
  ignore_eos: true,
  temperature: 0,
  ...more,
});

describe("receipts on the simulated device", () => {
  let server: TestServer;
  beforeAll(async () => {
    server = await startServer([
      ...["Qwen/Qwen3-0.6B", "--device", "trainium", "--values", "synthetic"],
      ...["--time-scale", "0.3", "--enable-per-request-metrics"],
    ]);
  });
  afterAll(() => server.stop(0));

  it("add up in answers, with others under way", async () => {
    const answers = await Promise.all(
      [200, 300, 400].map((prompt) => server.post("/v1/completions", request(prompt, 20))),
    );
    for (const { json } of answers) {
      const { end_to_end: causes } = check(json.metrics);
      expect(causes["weights"]).toBeGreaterThan(0);
      expect(json.metrics.receipt_bands.serving.factor).toBeGreaterThan(1);
    }
  });

  it("add up in the last chunk of a stream", async () => {
    const usage = { stream_options: { include_usage: true } };
    const events = await server.stream("/v1/completions", request(50, 12, usage));
    const last = JSON.parse(events.at(-2) ?? "");
    check(last.metrics);
  });

  it("are for one completion, as all of `metrics`", async () => {
    const { json } = await server.post("/v1/completions", request(50, 4, { n: 2, temperature: 1 }));
    expect(json.metrics).toBeNull();
  });
});

describe("receipts on a device without prices", () => {
  it("say how long steps took, and cut at a stop string", async () => {
    const server = await startServer([
      ...["models/tiny/llama", "--device", "cpu", "--enable-per-request-metrics"],
    ]);
    const words = { prompt: "hello", max_tokens: 24, temperature: 0, ignore_eos: true };
    const { json } = await server.post("/v1/completions", words);
    expect(check(json.metrics).end_to_end["compute"]).toBeGreaterThan(0);
    const text: string = json.choices[0].text;
    const stop = text.slice(Math.floor(text.length / 2), Math.floor(text.length / 2) + 2);
    const cut = (await server.post("/v1/completions", { ...words, stop })).json;
    expect(cut.choices[0].finish_reason).toBe("stop");
    expect(cut.usage.completion_tokens).toBeLessThan(24);
    check(cut.metrics);
    expect(cut.metrics).not.toHaveProperty("receipt_bands");
    await server.stop(0);
  });
});
