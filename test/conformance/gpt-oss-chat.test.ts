/** gpt-oss in miniature: random weights, experts in MXFP4 as published, its real tokenizer and template, streamed. */
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { architectureWeights } from "../../models/architecture.ts";
import { describeComputed } from "../../models/registry.ts";
import { sharedData } from "../support/golden.ts";
import { seeded } from "../support/random-model.ts";
import { type TensorEntry, writeSafetensors } from "../support/safetensors.ts";
import { startServer, type TestServer } from "../support/server.ts";

const tokenizer = sharedData("tokenizers/o200k.tokenizer.json.gz");
const template = sharedData("chat-templates/llama.cpp/openai-gpt-oss-120b.jinja");
const WEATHER = {
  type: "function",
  function: {
    name: "weather",
    description: "of a city",
    parameters: {
      type: "object",
      properties: { city: { enum: ["Bern", "Rome"] } },
      required: ["city"],
      additionalProperties: false,
    },
  },
};

/** Weights of the shape that config.json says, the experts as published. */
function makeFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), "gpt-oss-"));
  const drawn = JSON.parse(readFileSync("models/tiny/drawn/gpt-oss/config.json", "utf8"));
  const config = {
    ...drawn,
    vocab_size: 201_088,
    max_position_embeddings: 4096,
    tie_word_embeddings: true,
    eos_token_id: [200_002, 200_012],
    quantization_config: { quant_method: "mxfp4" },
  };
  writeFileSync(join(folder, "config.json"), JSON.stringify(config));
  writeFileSync(join(folder, "tokenizer.json"), gunzipSync(readFileSync(tokenizer ?? "")));
  writeFileSync(join(folder, "tokenizer_config.json"), JSON.stringify({ eos_token: "<|return|>" }));
  cpSync(template ?? "", join(folder, "chat_template.jinja"));
  const random = seeded(3);
  const tensors = new Map<string, TensorEntry>();
  for (const { name, shape, format } of architectureWeights(describeComputed(config))) {
    const count = shape.reduce((product, size) => product * size, 1);
    if (format === "mxfp4" && shape.length === 3) {
      const bytes = Uint8Array.from({ length: count / 2 }, () => random() * 256);
      const [experts = 0, rows = 0, width = 0] = shape;
      tensors.set(`${name}_blocks`, {
        dtype: "U8",
        shape: [experts, rows, width / 32, 16],
        data: bytes,
      });
      const scales = new Uint8Array(count / 32).fill(123);
      tensors.set(`${name}_scales`, {
        dtype: "U8",
        shape: [experts, rows, width / 32],
        data: scales,
      });
      continue;
    }
    const middle = name.endsWith("norm.weight") ? 1 : 0;
    const data = Float32Array.from({ length: count }, () => middle + (random() - 0.5) * 0.5);
    tensors.set(name, { dtype: "F32", shape, data });
  }
  writeSafetensors(join(folder, "model.safetensors"), tensors);
  return folder;
}

describe.skipIf(tokenizer === undefined || template === undefined)(
  "gpt-oss over /v1/chat/completions (skipped without TRAINYARD_DATA)",
  () => {
    let folder = "";
    let server: TestServer;
    beforeAll(async () => {
      folder = makeFolder();
      const flags = ["--device", "cpu", "--max-model-len", "1024", "--max-num-seqs", "4"];
      const parsers = [
        "--tool-call-parser",
        "openai",
        "--enable-auto-tool-choice",
        "--reasoning-parser",
        "openai_gptoss",
      ];
      server = await startServer([folder, "--served-model-name", "mini", ...flags, ...parsers]);
    }, 120_000);
    afterAll(async () => {
      await server?.stop(0);
      rmSync(folder, { recursive: true, force: true });
    });
    const messages = [{ role: "user", content: "What is the weather?" }];

    it("streams an answer to harmony's prompt", async () => {
      const events = await server.stream("/v1/chat/completions", {
        model: "mini",
        messages,
        reasoning_effort: "low",
        temperature: 0,
        max_tokens: 24,
        stream_options: { include_usage: true },
      });
      expect(events.at(-1)).toBe("[DONE]");
      const chunks = events.slice(0, -1).map((event) => JSON.parse(event));
      const usage = chunks.at(-1).usage;
      expect(usage.completion_tokens).toBeLessThanOrEqual(24);
      const rendered = await server.post("/tokenize", { model: "mini", messages });
      // Effort is a word of the prompt: as many tokens for each of them.
      expect(usage.prompt_tokens).toBe(rendered.json.count);
      expect(chunks.flatMap(({ choices }) => choices).at(-1).finish_reason).toMatch(/length|stop/);
    }, 60_000);

    /** A streamed answer put together: what it thought, what it called, how it ended. */
    async function streamed(more: object) {
      const events = await server.stream("/v1/chat/completions", {
        model: "mini",
        messages,
        tools: [WEATHER],
        temperature: 0,
        max_tokens: 200,
        ...more,
      });
      expect(events.at(-1)).toBe("[DONE]");
      const deltas = events.slice(0, -1).flatMap((event) => JSON.parse(event).choices);
      const calls = deltas.flatMap(({ delta }) => delta.tool_calls ?? []);
      return {
        reasoning: deltas.map(({ delta }) => delta.reasoning ?? "").join(""),
        content: deltas.map(({ delta }) => delta.content ?? "").join(""),
        name: calls[0]?.function.name,
        text: calls.map((call) => call.function.arguments ?? "").join(""),
        finish: deltas.at(-1).finish_reason,
      };
    }

    it.each([
      [{ type: "function", function: { name: "weather" } }, "stop"],
      ["required", "tool_calls"],
    ] as const)(
      "makes the call that tool_choice %j asks for, after reasoning",
      async (choice, end) => {
        const analysis = await server.post("/tokenize", { model: "mini", prompt: "analysis" });
        const [word] = analysis.json.tokens as number[];
        const answer = await streamed({
          tool_choice: choice,
          thinking_token_budget: 8,
          // A random model is led to reason first.
          logit_bias: { [String(word)]: 100 },
        });
        expect(answer.reasoning).not.toBe("");
        expect(answer.content).toBe("");
        expect(answer.name).toBe("weather");
        expect(["Bern", "Rome"]).toContain(JSON.parse(answer.text).city);
        expect(answer.finish).toBe(end);
      },
      60_000,
    );

    it("is told of tools in harmony's own words", async () => {
      const tokensOf = async (more: object): Promise<number> => {
        const answer = await server.post("/tokenize", { model: "mini", messages, ...more });
        return answer.json.count;
      };
      const events = await server.stream("/v1/chat/completions", {
        model: "mini",
        messages,
        tools: [WEATHER],
        temperature: 0,
        max_tokens: 8,
        stream_options: { include_usage: true },
      });
      expect(events.at(-1)).toBe("[DONE]");
      const { usage } = JSON.parse(events.at(-2) ?? "{}");
      expect(usage.prompt_tokens).toBe(await tokensOf({ tools: [WEATHER] }));
      expect(usage.prompt_tokens).toBeGreaterThan((await tokensOf({})) + 20);
    }, 60_000);
  },
);
