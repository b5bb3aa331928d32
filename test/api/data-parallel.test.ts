/** `--data-parallel-…`: several engines behind one server, or one of several servers. */
import { describe, expect, it } from "vitest";
import { startServer } from "../support/server.ts";

const TINY = ["models/tiny/llama", "--device", "null"];
const body = { prompt: Array.from({ length: 64 }, (_, id) => 10 + id), max_tokens: 2 };
const pinned = (rank: number) => ({ "x-data-parallel-rank": String(rank) });

describe("--data-parallel-size 3", () => {
  it("serves with engines that share nothing, the least loaded next", async () => {
    const events = JSON.stringify({ enable_kv_cache_events: true, endpoint: "inproc://ranks" });
    const flags = ["--data-parallel-size", "3", "--kv-events-config", events];
    const server = await startServer([...TINY, ...flags]);
    const served = async () =>
      Promise.all(
        [0, 1, 2].map((rank) =>
          server.metric("vllm:request_success_total", `engine="${rank}",finished_reason="length"`),
        ),
      );
    const found = async () =>
      Promise.all(
        [0, 1, 2].map((rank) => server.metric("vllm:prefix_cache_hits_total", `engine="${rank}"`)),
      );
    for (let i = 0; i < 6; i++) await server.post("/v1/completions", body);
    expect(await served()).toEqual([2, 2, 2]);
    // Each had to compute the prompt once; the second time it was found.
    const once = (await found())[0] ?? 0;
    expect(once).toBeGreaterThan(0);
    expect(await found()).toEqual([once, once, once]);
    for (let i = 0; i < 3; i++) await server.post("/v1/completions", body, pinned(2));
    expect(await served()).toEqual([2, 2, 5]);
    expect(await found()).toEqual([once, once, 4 * once]);
    const refused = await server.post("/v1/completions", body, pinned(3));
    expect(refused).toMatchObject({ status: 400 });
    expect(refused.json.error.message).toContain("data_parallel_rank 3 is out of range [0, 3).");
    const sources = (await server.get("/kv_event_sources")).json;
    expect(Object.keys(sources)).toEqual(["0", "1", "2"]);
    expect(sources["2"].endpoint).toBe("inproc://ranks_dp2");
    await server.stop(0);
  });
});

describe("two of four ranks", () => {
  it("are numbered among all, with metrics and events of their own", async () => {
    const events = JSON.stringify({ enable_kv_cache_events: true, endpoint: "inproc://part" });
    const part = ["--data-parallel-size-local", "2", "--data-parallel-start-rank", "2"];
    const flags = ["--data-parallel-size", "4", ...part, "--kv-events-config", events];
    const server = await startServer([...TINY, ...flags]);
    await server.post("/v1/completions", body, pinned(1)); // of this server's own, as in vLLM
    const { text } = await server.get("/metrics");
    const engines = new Set([...text.matchAll(/engine="(\d+)"/g)].map(([, engine]) => engine));
    expect([...engines]).toEqual(["2", "3"]);
    expect(await server.metric("vllm:prompt_tokens_total", 'engine="3"')).toBe(64);
    expect(await server.metric("vllm:prompt_tokens_total", 'engine="2"')).toBe(0);
    const sources = (await server.get("/kv_event_sources")).json;
    expect(sources).toMatchObject({
      2: { endpoint: "inproc://part_dp2" },
      3: { endpoint: "inproc://part_dp3" },
    });
    await server.stop(0);
  });

  it("are not started where they mean another host", async () => {
    const part = ["--data-parallel-size", "4", "--data-parallel-size-local", "2"];
    await expect(startServer([...TINY, ...part])).rejects.toThrow("put a router in front");
    const one = ["--data-parallel-size", "2", "--data-parallel-rank", "1"];
    await expect(startServer([...TINY, ...one])).rejects.toThrow("as independent servers");
  });

  it("can be one, of a model with experts", async () => {
    const flags = ["--device", "trainium", "--values", "synthetic", "--instance", "trn2.48xlarge"];
    const server = await startServer([
      ...["openai/gpt-oss-20b", ...flags, "--tensor-parallel-size", "4"],
      ...["--data-parallel-size", "2", "--data-parallel-rank", "1"],
    ]);
    await server.post("/v1/completions", { prompt: [1, 2, 3], max_tokens: 2 });
    expect(await server.metric("vllm:prompt_tokens_total", 'engine="1"')).toBe(3);
    await server.stop(0);
  });
});
