/** 64 streams on the cpu device, clients that hang up at random: nothing is left behind. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { startServer, type TestServer } from "../support/server.ts";

const STREAMS = 64;
let server: TestServer;
const unhandled: unknown[] = [];
const note = (reason: unknown): void => void unhandled.push(reason);

beforeAll(async () => {
  process.on("unhandledRejection", note);
  server = await startServer([
    "models/tiny/llama",
    "--device",
    "cpu",
    "--max-num-seqs",
    "16",
    "--enable-server-load-tracking",
  ]);
});
afterAll(async () => {
  process.off("unhandledRejection", note);
  await server.stop(0);
});

/** Reads so many chunks, then hangs up; reads to the end when there are fewer. Tells whether it left. */
async function listen(index: number, chunks: number): Promise<boolean> {
  const controller = new AbortController();
  const response = await fetch(`${server.url}/v1/chat/completions`, {
    method: "POST",
    signal: controller.signal,
    headers: { "content-type": "application/json" },
    body: JSON.stringify({
      messages: [{ role: "user", content: `Tell me of number ${index}` }],
      max_tokens: 60,
      ignore_eos: true,
      stream: true,
      n: index % 5 === 0 ? 2 : 1,
      seed: index,
    }),
  });
  let seen = 0;
  for await (const _bytes of response.body ?? []) {
    if (++seen >= chunks) {
      controller.abort();
      return true;
    }
  }
  return false;
}

describe("clients that hang up", () => {
  it("leave no block held, no request running and no rejection unhandled", async () => {
    // A fixed mix: some leave at once, some in the middle, some stay to the end.
    const plans = Array.from({ length: STREAMS }, (_, index) =>
      index % 3 === 0 ? Number.POSITIVE_INFINITY : 1 + ((index * 7) % 30),
    );
    const left = await Promise.all(
      plans.map((chunks, index) => listen(index, chunks).catch(() => true)),
    );
    expect(left.filter((gone) => !gone).length).toBeGreaterThanOrEqual(STREAMS / 3);
    const { engines } = server.world.serving;
    await engines.idle();
    expect({ running: engines.running, waiting: engines.waiting, kv: engines.kvUsage }).toEqual({
      running: 0,
      waiting: 0,
      kv: 0,
    });
    for (const engine of engines.all) engine.check();
    expect(await server.metric("vllm:num_requests_running")).toBe(0);
    expect(await server.metric("vllm:kv_cache_usage_perc")).toBe(0);
    expect(
      await server.metric("vllm:request_success_total", 'finished_reason="abort"'),
    ).toBeGreaterThan(0);
    expect(unhandled).toEqual([]);
    expect((await server.get("/load")).json).toEqual({ server_load: 0 });
    // Each was counted once, gone or not.
    expect(await server.metric("http_requests_total", 'status="2xx"')).toBe(STREAMS);
    expect((await server.get("/health")).status).toBe(200);
  });

  it("frees a request whose client left while it waited", async () => {
    const controller = new AbortController();
    const asked = fetch(`${server.url}/v1/completions`, {
      method: "POST",
      signal: controller.signal,
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ prompt: "a", max_tokens: 400, ignore_eos: true }),
    });
    const { engines } = server.world.serving;
    while (engines.running === 0) await new Promise((resolve) => setTimeout(resolve, 1));
    controller.abort();
    await expect(asked).rejects.toThrow();
    await engines.idle();
    expect(engines.kvUsage).toBe(0);
    expect(await server.metric("http_requests_total", 'status="4xx"')).toBe(1); // 499
  });
});
