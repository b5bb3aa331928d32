/** `--otlp-traces-endpoint`: spans as vLLM 0.32 sends them, and nothing without it. */
import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { parseSettings } from "../../server/config.ts";
import { compiled } from "../support/compiled.ts";
import {
  type OtlpReceiver,
  otlpGrpcReceiver,
  otlpHttpReceiver,
  type ReceivedSpan,
} from "../support/otlp-receiver.ts";
import { startServer } from "../support/server.ts";

const MODEL = ["models/tiny/llama", "--device", "null"];
const PARENT = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
const hello = { messages: [{ role: "user", content: "hello" }] };

/** Attributes of a span of vLLM 0.32, in its order. */
const NAMES = [
  "gen_ai.latency.time_to_first_token",
  "gen_ai.latency.e2e",
  "gen_ai.latency.time_in_queue",
  "gen_ai.usage.prompt_tokens",
  "gen_ai.usage.completion_tokens",
  "gen_ai.latency.time_in_model_prefill",
  "gen_ai.latency.time_in_model_decode",
  "gen_ai.latency.time_in_model_inference",
  "gen_ai.request.id",
  "gen_ai.request.top_p",
  "gen_ai.request.max_tokens",
  "gen_ai.request.temperature",
  "gen_ai.request.n",
];

/**
 * Packages of OpenTelemetry in a process of its own that has served a request, without the flag
 * and then with it; prom-client brings `api` by itself.
 */
async function loaded(endpoint: string): Promise<readonly (readonly string[])[]> {
  const script = `
    import { createRequire } from "node:module";
    import { pino } from "pino";
    import { parseSettings } from "${compiled("server/config.js")}";
    import { serve } from "${compiled("server/main.js")}";
    const served = async (flags) => {
      const { settings } = parseSettings([...${JSON.stringify(MODEL)}, "--port", "0", ...flags]);
      const server = await serve(settings, pino({ level: "silent" }));
      await fetch(server.url + "/v1/completions", {
        method: "POST",
        headers: { "content-type": "application/json", traceparent: "${PARENT}" },
        body: JSON.stringify({ prompt: "hello", max_tokens: 2 }),
      });
      await server.stop(0);
      const paths = Object.keys(createRequire(import.meta.url).cache);
      const named = paths.map((path) => /@opentelemetry.([^/]+)/.exec(path)?.[1] ?? "api");
      return [...new Set(named)].filter((name) => name !== "api");
    };
    const without = await served([]);
    console.log(JSON.stringify([without, await served(["--otlp-traces-endpoint", "${endpoint}"])]));
    process.exit(0);`;
  const flags = ["--input-type=module", "-e", script];
  const { stdout } = await promisify(execFile)(process.execPath, flags);
  return JSON.parse(stdout) as readonly (readonly string[])[];
}

describe("without --otlp-traces-endpoint", () => {
  it("loads nothing of OpenTelemetry", async () => {
    const collector = await otlpGrpcReceiver();
    const [without, traced] = await loaded(collector.url);
    expect(without).toEqual([]);
    expect(traced).toContain("sdk-trace");
    collector.close();
    expect(collector.spans).toHaveLength(1);
  }, 180_000);

  it("refuses --collect-detailed-traces, as vLLM", () => {
    expect(() => parseSettings(["--collect-detailed-traces", "all"])).toThrow(
      "--collect-detailed-traces requires --otlp-traces-endpoint to be set.",
    );
    const endpoint = ["--otlp-traces-endpoint", "grpc://localhost:4317"];
    expect(() => parseSettings([...endpoint, "--collect-detailed-traces", "gpu"])).toThrow(
      "must be of model, worker, all, not gpu",
    );
    const { settings } = parseSettings([...endpoint, "--collect-detailed-traces", "model", "all"]);
    expect(settings["collect-detailed-traces"]).toEqual(["model", "all"]);
  });
});

describe.each([
  ["grpc", otlpGrpcReceiver],
  ["http/protobuf", otlpHttpReceiver],
])("with it, by %s", (protocol, receiver) => {
  let collector: OtlpReceiver;
  beforeEach(async () => {
    vi.stubEnv("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", protocol);
    vi.stubEnv("OTEL_SERVICE_NAME", "tales");
    collector = await receiver();
  });
  afterEach(() => {
    collector.close();
    vi.unstubAllEnvs();
  });

  const traced = async (
    ask: (server: Awaited<ReturnType<typeof startServer>>) => Promise<void>,
  ) => {
    const server = await startServer([...MODEL, "--otlp-traces-endpoint", collector.url]);
    await ask(server);
    await server.stop(0); // sends what is left
    return collector.spans;
  };

  it("sends a span of a request under the span that asked", async () => {
    const before = Date.now();
    const spans = await traced(async (server) => {
      const headers = { traceparent: PARENT, tracestate: "a=b", "x-request-id": "abc" };
      const body = { ...hello, max_tokens: 4, temperature: 0.5, top_p: 0.9, ignore_eos: true };
      await server.post("/v1/chat/completions", body, headers);
    });
    const [span] = spans as readonly [ReceivedSpan];
    expect(spans).toHaveLength(1);
    expect(span).toMatchObject({
      ...{ name: "llm_request", kind: 2, scope: "vllm.tracing.otel" },
      traceId: "4bf92f3577b34da6a3ce929d0e0e4736",
      parentSpanId: "00f067aa0ba902b7",
      traceState: "a=b",
      resource: {
        "service.name": "tales",
        "vllm.instrumenting_module_name": "vllm.llm_engine",
        "vllm.process_id": String(process.pid),
      },
    });
    expect(Object.keys(span.attributes)).toEqual(NAMES);
    expect(span.attributes).toMatchObject({
      "gen_ai.request.id": "chatcmpl-abc",
      "gen_ai.request.top_p": 0.9,
      "gen_ai.request.temperature": 0.5,
      "gen_ai.request.max_tokens": 4,
      "gen_ai.request.n": 1,
      "gen_ai.usage.completion_tokens": 4,
    });
    expect(span.start).toBeGreaterThanOrEqual(before - 1);
    expect(span.end).toBeLessThanOrEqual(Date.now() + 1);
    const latency = (name: string) => Number(span.attributes[`gen_ai.latency.${name}`]);
    expect(latency("e2e")).toBeCloseTo((span.end - span.start) / 1000, 4);
    expect(latency("time_in_model_inference")).toBeCloseTo(
      latency("time_in_model_prefill") + latency("time_in_model_decode"),
      6,
    );
    expect(latency("time_to_first_token")).toBeLessThanOrEqual(latency("e2e"));
  });

  it("names the requests of a body, and leaves out what a greedy one has not", async () => {
    const spans = await traced(async (server) => {
      const completion = { request_id: "rq", max_tokens: 2, temperature: 0 };
      await server.post("/v1/completions", { ...completion, prompt: ["one", "two"], n: 1 });
      await server.post("/v1/completions", { ...completion, prompt: "one", n: 2, temperature: 1 });
      await server.post("/v1/responses", { input: "one", max_output_tokens: 2 });
      const background = { input: "one", max_output_tokens: 2, background: true };
      await server.post("/v1/responses", background);
      await server.post("/v1/chat/completions", { ...hello, stream: true, max_tokens: 2 });
    });
    const ids = spans.map(({ attributes }) => String(attributes["gen_ai.request.id"]));
    expect(ids.slice(0, 4)).toEqual(["cmpl-rq-0", "cmpl-rq-1", "cmpl-rq-0", "cmpl-rq-0"]);
    expect(ids.filter((id) => /^resp_\w+_0$/.test(id))).toHaveLength(2);
    expect(ids.at(-1)).toMatch(/^chatcmpl-/);
    expect(Object.keys(spans[0]?.attributes ?? {})).toEqual(
      NAMES.filter((name) => name !== "gen_ai.request.temperature"),
    );
    expect(new Set(spans.map(({ traceId }) => traceId)).size).toBe(spans.length);
  });

  it("sends nothing of a trace that is not sampled, or of a request whose client left", async () => {
    const spans = await traced(async (server) => {
      const off = { traceparent: `${PARENT.slice(0, -1)}0` };
      await server.post("/v1/chat/completions", { ...hello, max_tokens: 2 }, off);
      const leaving = new AbortController();
      const response = await fetch(`${server.url}/v1/chat/completions`, {
        method: "POST",
        headers: { "content-type": "application/json" },
        body: JSON.stringify({ ...hello, stream: true, ignore_eos: true, max_tokens: 400 }),
        signal: leaving.signal,
      });
      await response.body?.getReader().read();
      leaving.abort();
      await server.world.serving.engines.idle();
    });
    expect(spans).toEqual([]);
  });
});

describe("a collector that does not answer", () => {
  it("is said once and holds up nobody", async () => {
    vi.stubEnv("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "http/protobuf");
    vi.stubEnv("OTEL_EXPORTER_OTLP_TRACES_TIMEOUT", "200");
    const warned = vi.spyOn(process, "emitWarning").mockImplementation(() => {});
    const gone = await otlpHttpReceiver();
    gone.close();
    const server = await startServer([...MODEL, "--otlp-traces-endpoint", gone.url]);
    const body = { ...hello, max_tokens: 2 };
    expect((await server.post("/v1/chat/completions", body)).status).toBe(200);
    await server.stop(0);
    expect(warned).toHaveBeenCalledTimes(1);
    expect(String(warned.mock.calls[0]?.[0])).toMatch(/^Spans do not reach/);
    warned.mockRestore();
    vi.unstubAllEnvs();
  });

  it("is told of a protocol that is none", async () => {
    vi.stubEnv("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "smoke");
    const argv = [...MODEL, "--otlp-traces-endpoint", "http://localhost:1"];
    await expect(startServer(argv)).rejects.toThrow("must be grpc or http/protobuf, got smoke");
    vi.unstubAllEnvs();
  });
});
