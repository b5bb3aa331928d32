/** Published ways to serve gpt-oss and Llama 3.1: their files and flags start a server that calls a tool. */
import { mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, describe, expect, it } from "vitest";
import { parseSettings } from "../../server/config.ts";
import { sharedData } from "../support/golden.ts";
import { startServer, type TestServer } from "../support/server.ts";

const folder = mkdtempSync(join(tmpdir(), "recipes-"));
function file(name: string, lines: readonly string[]): string {
  const path = join(folder, name);
  writeFileSync(path, `${lines.join("\n")}\n`);
  return path;
}

/** The keys of vLLM's recipe for gpt-oss on Blackwell. */
const BLACKWELL = file("blackwell.yaml", [
  "kv-cache-dtype: fp8",
  `compilation-config: '{"pass_config":{"fuse_allreduce_rms":true,"eliminate_noops":true}}'`,
  "async-scheduling: true",
  "no-enable-prefix-caching: true",
  "max-cudagraph-capture-size: 2048",
  "max-num-batched-tokens: 8192",
  "stream-interval: 20",
]);
/** Those of InferenceX's runs of the same model. */
const INFERENCEX = file("inferencex.yaml", [
  "no-enable-prefix-caching: true",
  "max-cudagraph-capture-size: 2048",
  "max-num-batched-tokens: 8192",
  "max-model-len: 4096",
]);
const MACHINE = [
  ...["--device", "trainium", "--instance", "trn2.48xlarge", "--tensor-parallel-size", "16"],
  ...["--time-scale", "0.02"],
];

const weather = {
  type: "function",
  function: {
    name: "get_weather",
    description: "Weather of a city",
    parameters: { type: "object", properties: { city: { type: "string" } }, required: ["city"] },
  },
};
const messages = [{ role: "user", content: "What is the weather in Paris?" }];

let server: TestServer | undefined;
afterEach(() => server?.stop(0));

async function callsATool(argv: readonly string[]): Promise<readonly string[]> {
  const { warnings } = parseSettings(argv);
  server = await startServer(argv);
  for (const tool_choice of ["auto", "required"]) {
    const body = { messages, tools: [weather], tool_choice, temperature: 0 };
    const { status, json } = await server.post("/v1/chat/completions", body);
    expect(status).toBe(200);
    const [call] = json.choices[0].message.tool_calls;
    expect([call.function.name, JSON.parse(call.function.arguments)]).toEqual([
      "get_weather",
      { city: "Paris" },
    ]);
    expect(json.choices[0].finish_reason).toBe("tool_calls");
  }
  return warnings.map((line) => line.split(" ")[0] ?? "");
}

describe("published recipes start and call a tool", () => {
  it("vLLM's for gpt-oss, with its parsers", async () => {
    const flags = ["--config", BLACKWELL, "--tool-call-parser", "openai"];
    const more = ["--enable-auto-tool-choice", "--reasoning-parser", "openai_gptoss", "-O3"];
    const warned = await callsATool(["openai/gpt-oss-20b", ...MACHINE, ...flags, ...more]);
    expect(warned).toEqual([
      "--compilation-config",
      "--max-cudagraph-capture-size",
      "--optimization-level",
    ]);
    expect(server?.world.serving.settings).toMatchObject({
      "kv-cache-dtype": "fp8",
      "enable-prefix-caching": false,
      "stream-interval": 20,
      "max-num-batched-tokens": 8192,
    });
  });

  it("InferenceX's", async () => {
    const warned = await callsATool([
      ...["openai/gpt-oss-20b", "--host=127.0.0.1", "--config", INFERENCEX, ...MACHINE],
      ...["--gpu-memory-utilization=0.9", "--max-num-seqs=32", "--disable-log-requests"],
      ...["-cc.pass_config.fuse_rope_kvcache=True", "-cc.use_inductor_graph_partition=True"],
      ...["--compilation_config.pass_config.fuse_allreduce_rms", "true", "--trust-remote-code"],
      ...["--attention-backend", "ROCM_AITER_UNIFIED_ATTN", "--block-size=32"],
    ]);
    expect(warned).toContain("--disable-log-requests");
  });

  const template = sharedData("chat-templates/vllm/tool_chat_template_llama3.1_json.jinja");
  it.skipIf(template === undefined)(
    "vLLM's tool template of Llama 3.1 (skipped without TRAINYARD_DATA)",
    async () => {
      const flags = ["--chat-template", template ?? "", "--tool-call-parser", "llama3_json"];
      server = await startServer([
        ...["meta-llama/Llama-3.1-8B-Instruct", "--device", "trainium", "--time-scale", "0.02"],
        ...["--tensor-parallel-size", "4", "--enable-auto-tool-choice", ...flags],
      ]);
      const tools = [weather];
      const asked = { messages, tools, tool_choice: "required", temperature: 0 };
      const { status, json } = await server.post("/v1/chat/completions", asked);
      expect(status).toBe(200);
      const [call] = json.choices[0].message.tool_calls;
      expect(call.function.name).toBe("get_weather");
      // The call and its answer go back through the template.
      const turns = [
        ...messages,
        { role: "assistant", content: null, tool_calls: [call] },
        { role: "tool", tool_call_id: call.id, content: "Sunny, 20 degrees" },
      ];
      const next = await server.post("/v1/chat/completions", {
        ...{ messages: turns, tools, max_tokens: 8 },
      });
      expect([next.status, next.json.usage.completion_tokens > 0]).toEqual([200, true]);
    },
  );
});
