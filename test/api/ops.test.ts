/** Probes, tokenizing, metrics, keys, the live feed. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import WebSocket from "ws";
import { startServer, type TestServer } from "../support/server.ts";

let server: TestServer;
beforeAll(async () => {
  server = await startServer([
    "models/tiny/llama",
    "--device",
    "null",
    "--served-model-name",
    "tiny",
    "--enable-server-load-tracking",
    "--show-hidden-metrics-for-version",
    "0.8",
  ]);
});
afterAll(() => server.stop(0));

const hello = { messages: [{ role: "user", content: "hello" }] };

describe("development routes", () => {
  it("tell of the server, but not its keys", async () => {
    const argv = ["--device", "null", "--server-dev-mode", "--api-key", "s3cret"];
    const dev = await startServer(["models/tiny/llama", ...argv, "--enable-request-id-headers"]);
    const { json, text, headers } = await dev.get("/server_info?config_format=json");
    expect(json.vllm_config["max-logprobs"]).toBe(20);
    expect(text).not.toContain("s3cret");
    expect(headers.get("x-request-id")).toMatch(/^[0-9a-f]{32}$/);
    expect((await dev.get("/server_info")).json.vllm_config).toContain("max-logprobs=20");
    expect((await dev.get("/is_sleeping")).json).toEqual({ is_sleeping: false });
    for (const path of ["/reset_mm_cache", "/reset_encoder_cache"])
      expect(await dev.post(path, {})).toMatchObject({ status: 200, text: "" });
    await dev.stop(0);
    expect(await server.get("/server_info")).toMatchObject({ status: 404 });
  });
});

describe("probes", () => {
  it("answers /health, /ping, /version and /load", async () => {
    expect(await server.get("/health")).toMatchObject({ status: 200, text: "" });
    expect(await server.get("/ping")).toMatchObject({ status: 200, text: "" });
    expect((await server.get("/version")).json).toEqual({ version: "0.32.0" });
    expect((await server.get("/load")).json).toEqual({ server_load: 0 });
  });

  it("describes the model as vLLM does", async () => {
    const { json } = await server.get("/v1/models");
    expect(json.object).toBe("list");
    expect(json.data[0]).toMatchObject({
      id: "tiny",
      object: "model",
      owned_by: "vllm",
      root: "models/tiny/llama",
      parent: null,
      max_model_len: 512,
    });
    expect(json.data[0].permission[0].id).toMatch(/^modelperm-/);
  });
});

describe("tokenizing", () => {
  it("goes there and back", async () => {
    const { json } = await server.post("/tokenize", {
      prompt: "Once upon a time",
      return_token_strs: true,
    });
    expect(json).toMatchObject({ count: json.tokens.length, max_model_len: 512 });
    expect(json.token_strs).toHaveLength(json.count);
    const tokens = json.tokens.filter(
      (id: number) => !server.world.serving.tokenizer?.specialIds.has(id),
    );
    expect((await server.post("/detokenize", { tokens })).json).toEqual({
      prompt: "Once upon a time",
    });
  });

  it("renders chats", async () => {
    const plain = (await server.post("/tokenize", { ...hello, add_generation_prompt: false })).json;
    const prompted = (await server.post("/tokenize", hello)).json;
    expect(prompted.count).toBeGreaterThan(plain.count);
    expect(prompted.token_strs).toBeNull();
  });

  it("reads the shape of which more is set", async () => {
    const both = async (more: object) =>
      (await server.post("/tokenize", { messages: [], prompt: "a", ...more })).status;
    expect(await both({})).toBe(200);
    expect(await both({ add_special_tokens: false })).toBe(200);
    expect(await both({ tools: [] })).toBe(400);
    expect((await server.post("/tokenize", { ...hello, prompt: "a" })).json.count).toBeGreaterThan(
      3,
    );
  });
});

describe("metrics", () => {
  it("has every unconditional series of vLLM before the first request", async () => {
    const { text, headers } = await server.get("/metrics");
    expect(headers.get("content-type")).toBe("text/plain; version=1.0.0; charset=utf-8");
    const missing = EXPECTED.filter((name) => !text.includes(`\n${name}{`));
    expect(missing).toEqual([]);
    for (const reason of ["stop", "length", "abort", "error", "repetition"]) {
      expect(text).toMatch(
        new RegExp(`vllm:request_success_total\\{.*finished_reason="${reason}"`),
      );
    }
    expect(text).toMatch(/vllm:cache_config_info\{.*num_gpu_blocks="\d+"/);
    expect(text).toContain("process_cpu_seconds_total");
  });

  it("counts what clients count", async () => {
    const before = {
      prompt: await server.metric("vllm:prompt_tokens_total"),
      generation: await server.metric("vllm:generation_tokens_total"),
      steps: await server.metric("trainyard:output_tokens_by_concurrency_total"),
    };
    let prompt = 0;
    let generation = 0;
    let bytes = 0;
    for (let index = 0; index < 5; index++) {
      const asked = { ...hello, max_tokens: 7, seed: index };
      const { json, text } = await server.post("/v1/chat/completions", asked);
      const { usage } = json;
      bytes += Buffer.byteLength(text);
      prompt += usage.prompt_tokens;
      generation += usage.completion_tokens;
    }
    expect(await server.metric("vllm:prompt_tokens_total")).toBe(before.prompt + prompt);
    expect(await server.metric("vllm:generation_tokens_total")).toBe(
      before.generation + generation,
    );
    expect(
      await server.metric("trainyard:output_tokens_by_concurrency_total", 'concurrency="1"'),
    ).toBe(before.steps + generation);
    expect(await server.metric("vllm:e2e_request_latency_seconds_count")).toBe(5);
    expect(await server.metric("vllm:time_to_first_token_seconds_count")).toBe(5);
    expect(await server.metric("vllm:inter_token_latency_seconds_count")).toBe(generation - 5);
    expect(await server.metric("vllm:request_params_max_tokens_sum")).toBe(35);
    expect(await server.metric("vllm:num_requests_running")).toBe(0);
    expect(await server.metric("http_requests_total", '"/v1/chat/completions"')).toBe(5);
    const size = "http_response_size_bytes_sum";
    expect(await server.metric(size, '"/v1/chat/completions"')).toBe(bytes);
  });

  it("revives removed names when told to", async () => {
    const { text } = await server.get("/metrics");
    for (const name of [
      "gpu_cache_usage_perc",
      "gpu_prefix_cache_hit_rate",
      "num_requests_swapped",
    ]) {
      expect(text).toContain(`\nvllm:${name}{`);
    }
  });
});

describe("the live feed", () => {
  it("sends steps and the curve", async () => {
    const socket = new WebSocket(`${server.url.replace("http", "ws")}/live`);
    const seen = new Map<string, Record<string, unknown>>();
    /** Of all messages: a tick may fall between the steps of an answer. */
    const steps: Record<string, number>[] = [];
    socket.on("message", (data) => {
      const message = JSON.parse(String(data)) as Record<string, unknown>;
      seen.set(String(message["type"]), message);
      if (message["type"] === "steps") steps.push(...(message["steps"] as typeof steps));
    });
    await new Promise((resolve) => socket.once("open", resolve));
    await server.post("/v1/chat/completions", { ...hello, max_tokens: 5 });
    await expect.poll(() => steps.at(-1)?.["running"]).toBe(0);
    await expect.poll(() => [...seen.keys()].sort()).toEqual(["curve", "hello", "kv", "steps"]);
    socket.close();
    expect(seen.get("hello")).toMatchObject({ model: "tiny", device: "null", engines: 1 });
    expect(steps[0]).toMatchObject({ engine: 0, running: 1 });
    const told = (key: string) => steps.reduce((sum, step) => sum + (step[key] ?? 0), 0);
    expect(told("output_tokens")).toBe(5);
    const kv = seen.get("kv") as { blocks: number; cells: string; blank: number };
    expect(kv.cells).toHaveLength(Math.ceil(kv.blocks / Math.ceil(kv.blocks / 4096)));
    expect(seen.get("curve")?.["engines"]).toHaveLength(1);
  });
});

describe("load reports", () => {
  it("come in a header when asked for", async () => {
    const ask = (format: string) =>
      server.post(
        "/v1/completions",
        { prompt: "a", max_tokens: 1 },
        { "endpoint-load-metrics-format": format },
      );
    expect((await ask("JSON")).headers.get("endpoint-load-metrics")).toMatch(
      /^JSON \{"named_metrics":\{"kv_cache_usage_perc":[\d.]+,"num_requests_waiting":0\}\}$/,
    );
    expect((await ask("TEXT")).headers.get("endpoint-load-metrics")).toContain(
      "named_metrics.num_requests_waiting=0",
    );
  });
});

const histogram = (name: string): string[] =>
  ["bucket", "sum", "count", "created"].map((part) => `vllm:${name}_${part}`);
const counter = (name: string): string[] => [`vllm:${name}_total`, `vllm:${name}_created`];

const EXPECTED: readonly string[] = [
  "vllm:num_requests_running",
  "vllm:num_requests_waiting",
  "vllm:num_requests_waiting_by_reason",
  "vllm:kv_cache_usage_perc",
  "vllm:engine_sleep_state",
  "vllm:cache_config_info",
  ...[
    "prompt_tokens",
    "generation_tokens",
    "prompt_tokens_by_source",
    "prompt_tokens_cached",
  ].flatMap(counter),
  ...["request_success", "num_preemptions", "prefix_cache_queries", "prefix_cache_hits"].flatMap(
    counter,
  ),
  ...["external_prefix_cache_queries", "external_prefix_cache_hits"].flatMap(counter),
  ...["mm_cache_queries", "mm_cache_hits"].flatMap(counter),
  ...["time_to_first_token_seconds", "inter_token_latency_seconds"].flatMap(histogram),
  ...["request_time_per_output_token_seconds", "e2e_request_latency_seconds"].flatMap(histogram),
  ...["request_queue_time_seconds", "request_prefill_time_seconds"].flatMap(histogram),
  ...["request_decode_time_seconds", "request_inference_time_seconds"].flatMap(histogram),
  ...["request_prompt_tokens", "request_generation_tokens", "request_params_n"].flatMap(histogram),
  ...["request_max_num_generation_tokens", "request_params_max_tokens"].flatMap(histogram),
  ...["request_prefill_kv_computed_tokens", "iteration_tokens_total"].flatMap(histogram),
];

describe("GET /hygiene", () => {
  it("says what falsifies a load, and counts from when it is told", async () => {
    const { now } = (await server.get("/hygiene")).json;
    const body = { prompt: "the same", max_tokens: 3, ignore_eos: true };
    for (let sent = 0; sent < 3; sent++) await server.post("/v1/completions", body);
    const { json } = await server.get(`/hygiene?since=${now}&concurrency=2`);
    expect(json).toMatchObject({ requests: 3, peak_concurrency: 1 });
    const codes = json.notices.map((notice: { code: string }) => notice.code);
    expect(codes).toEqual(
      expect.arrayContaining(["repeated-prompts", "few-requests", "concurrency-not-reached"]),
    );
    expect(await server.metric("trainyard:load_notice", 'code="repeated-prompts"')).toBe(1);
    expect((await server.get("/hygiene?since=soon")).status).toBe(400);
  });
});

describe("a server in development mode", () => {
  let dev: TestServer;
  beforeAll(async () => {
    dev = await startServer(["models/tiny/llama", "--device", "null", "--server-dev-mode"]);
  });
  afterAll(() => dev.stop(0));
  const ask = { prompt: "a", max_tokens: 3 };

  it.each(["/pause", "/pause?mode=keep", "/pause?mode=wait", "/sleep", "/sleep?level=2"])(
    "lets requests wait after %s until it goes on",
    async (path) => {
      expect((await dev.post(path, "")).status).toBe(200);
      expect((await dev.get("/is_paused")).json).toEqual({ is_paused: true });
      let answered = false;
      const answer = dev.post("/v1/completions", ask).then((got) => {
        answered = true;
        return got;
      });
      await dev.get("/health");
      await dev.get("/v1/models");
      expect(answered).toBe(false);
      expect((await dev.get("/health")).status).toBe(200);
      await dev.post(path.startsWith("/sleep") ? "/wake_up" : "/resume", "");
      expect((await answer).status).toBe(200);
    },
  );

  it("ends what is under way, or keeps it", async () => {
    const long = { prompt: "a", max_tokens: 200, ignore_eos: true };
    await dev.post("/pause?mode=keep", "");
    const kept = dev.post("/v1/completions", long);
    while ((await dev.metric("vllm:num_requests_waiting")) < 1) await dev.get("/health");
    await dev.post("/pause?mode=abort", "");
    expect((await kept).json.choices[0].finish_reason).toBe("abort");
    await dev.post("/resume", "");
    expect((await dev.post("/v1/completions", ask)).status).toBe(200);
  });

  it("wakes by tags", async () => {
    await dev.post("/sleep?level=1", "");
    expect((await dev.post("/wake_up?tags=weights", "")).json).toEqual({
      status: "sleeping",
      tags: ["weights"],
    });
    expect((await dev.get("/is_sleeping")).json).toEqual({ is_sleeping: true });
    expect((await dev.post("/wake_up?tags=kv_cache&tags=weights", "")).json.status).toBe("awake");
  });

  it.each([
    ["/sleep?level=x", "query.level", "'type': 'int_parsing', 'loc': 'query.level'"],
    ["/sleep?level=3", "query.level", "'type': 'less_than_equal'"],
    ["/pause?mode=never", "query.mode", "Input should be 'abort', 'wait' or 'keep'"],
    ["/reset_prefix_cache?reset_external=perhaps", "query.reset_external", "bool_parsing"],
    ["/collective_rpc", null, "JSON decode error: Expecting value: line 1 column 1 (char 0)"],
  ])("refuses %s", async (path, param, says) => {
    const { status, json } = await dev.post(path, "");
    expect({ status, param: json.error.param }).toEqual({ status: 400, param });
    expect(json.error.message).toContain(says);
  });

  it("names what its workers do not know", async () => {
    const { status, json } = await dev.post("/collective_rpc", { method: "save_state" });
    expect(status).toBe(400);
    expect(json.error.message).toContain("'save_state'");
    expect(json.error.param).toBe("method");
    // An object that makes no text of itself.
    const odd = await dev.post("/collective_rpc", { method: { toString: 1 } });
    expect([odd.status, odd.json.error.message]).toEqual([
      400,
      expect.stringContaining(`'{"toString":1}'`),
    ]);
  });
});

describe("OpenMetrics", () => {
  it("is given to who asks: names without _total, no _created families, an end", async () => {
    const asked = await fetch(`${server.url}/metrics`, {
      headers: { accept: "application/openmetrics-text;version=1.0.0,text/plain;q=0.5" },
    });
    expect(asked.headers.get("content-type")).toBe(
      "application/openmetrics-text; version=1.0.0; charset=utf-8",
    );
    const text = await asked.text();
    expect(text.endsWith("\n# EOF\n")).toBe(true);
    expect(text).toContain("# TYPE vllm:prompt_tokens counter\nvllm:prompt_tokens_total{");
    expect(text).not.toMatch(/_created/);
    for (const [, name = ""] of text.matchAll(/^# TYPE (\S+) counter$/gm)) {
      expect(name).not.toMatch(/_total$/);
    }
    for (const name of ["prompt_tokens_cached_by_source", "admission_rejections"]) {
      expect(text).toContain(`# TYPE vllm:${name} counter`);
    }
    expect(text).toContain("# TYPE vllm:request_num_preemptions histogram");
    const plain = await server.get("/metrics");
    expect(plain.headers.get("content-type")).toBe("text/plain; version=1.0.0; charset=utf-8");
  });
});
