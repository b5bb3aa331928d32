/** /metrics beside vLLM 0.32's: names, types, help, labels, bounds and kinds, as it told them. */
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import WebSocket from "ws";
import { startServer, type TestServer } from "../support/server.ts";
import { exercise, type MetricFamily, metricFamilies } from "./vllm/metric-families.ts";

const { families } = JSON.parse(
  readFileSync(new URL("vllm/metrics.json", import.meta.url), "utf8"),
) as { readonly families: readonly MetricFamily[] }; // written by scripts/maintain/goldens/metrics.ts

/** What is not there, as server/README.md says. */
const ABSENT = /^vllm:kv_block_/;

let server: TestServer;
let text: string;
beforeAll(async () => {
  server = await startServer([
    "models/bundled/trainyard-tiny",
    ...["--device", "cpu", "--served-model-name", "m", "--server-dev-mode"],
    ...["--enable-auto-tool-choice", "--tool-call-parser", "hermes"],
    "--speculative-config",
    '{"method":"ngram","num_speculative_tokens":2,"prompt_lookup_max":3}',
  ]);
  await exercise(server.url);
  text = (await server.get("/metrics")).text;
});
afterAll(() => server.stop(0));

describe("/metrics", () => {
  it("has vLLM's families, each as vLLM has it", () => {
    const ours = new Map(metricFamilies(text).map((family) => [family.name, family]));
    const wanted = families.filter(({ name }) => !ABSENT.test(name));
    expect(wanted.length).toBeGreaterThan(90);
    expect(wanted.map(({ name }) => ours.get(name))).toEqual(wanted);
  });

  it("has no others under vLLM's name, but those of the plug-in for Neuron and of sockets", () => {
    const known = new Set(families.map(({ name }) => name));
    const others = metricFamilies(text).filter(({ name }) => !known.has(name));
    expect(others.filter(({ name }) => !name.startsWith("vllm:websocket_"))).toEqual([]);
  });

  it("counts sockets", async () => {
    const active = async () => {
      const { text: now } = await server.get("/metrics");
      return /^vllm:websocket_connections_active (\d+)$/m.exec(now)?.[1];
    };
    expect(await active()).toBe("0");
    const socket = new WebSocket(`${server.url.replace("http", "ws")}/live`);
    await once(socket, "open");
    expect(await active()).toBe("1");
    socket.close();
    await once(socket, "close");
    await expect.poll(active).toBe("0");
  });

  it("tells which tool parsers read what, and how an engine sleeps", async () => {
    const parses = "vllm:tool_call_parser_invocations_total";
    const of = (mode: string) => `mode="${mode}"`;
    const sum = async (mode: string): Promise<number> => {
      const { text: now } = await server.get("/metrics");
      return now
        .split("\n")
        .filter((line) => line.startsWith(`${parses}{`) && line.includes(of(mode)))
        .reduce((all, line) => all + Number(line.slice(line.lastIndexOf(" "))), 0);
    };
    const before = { whole: await sum("non_streaming"), streamed: await sum("streaming") };
    const body = {
      messages: [{ role: "user", content: "hello" }],
      ...{ max_tokens: 6, temperature: 0, ignore_eos: true },
      tools: [{ type: "function", function: { name: "weather", parameters: { type: "object" } } }],
    };
    await server.post("/v1/chat/completions", { ...body, n: 1 });
    await server.post("/v1/chat/completions", { ...body, tool_choice: "none" });
    const { tools: _tools, ...plain } = body;
    await server.post("/v1/chat/completions", plain);
    expect(await sum("non_streaming")).toBe(before.whole + 1);
    await server.stream("/v1/chat/completions", body);
    expect(await sum("streaming")).toBeGreaterThan(before.streamed);

    const state = (name: string) =>
      server.metric("vllm:engine_sleep_state", `sleep_state="${name}"`);
    await server.post("/sleep?level=2", {});
    expect([await state("awake"), await state("weights_offloaded")]).toEqual([0, 0]);
    expect(await state("discard_all")).toBe(1);
    await server.post("/wake_up?tags=weights", {});
    expect(await state("awake")).toBe(0);
    await server.post("/wake_up", {});
    expect([await state("awake"), await state("discard_all")]).toEqual([1, 0]);
    const waited = 'operation="wake"';
    expect(await server.metric("vllm:sleep_mode_operation_duration_seconds_count", waited)).toBe(3);
    expect(await server.metric("vllm:sleep_mode_operations_in_flight", waited)).toBe(0);
  });
});
