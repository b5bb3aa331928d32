/**
 * gpt-oss that reasons and calls of its own accord, streamed: weights written by hand, so that
 * each token leads to the next of a script, its real tokenizer and template, nothing forced.
 *
 * A token of the script is a direction of the hidden state, and its successor's row of the head
 * looks there. Two tokens come twice: one attention head sees whether the thought was written,
 * and lets the second way win.
 */
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { architectureWeights } from "../../models/architecture.ts";
import { describeComputed } from "../../models/registry.ts";
import { loadTokenizer } from "../../models/tokenizer/tokenizer.ts";
import { sharedData } from "../support/golden.ts";
import { type TensorEntry, writeSafetensors } from "../support/safetensors.ts";
import { startServer, type TestServer } from "../support/server.ts";

const tokenizer = sharedData("tokenizers/o200k.tokenizer.json.gz");
const template = sharedData("chat-templates/llama.cpp/openai-gpt-oss-120b.jinja");
const THOUGHT = "Hmm";
const FIRST = `<|channel|>analysis<|message|>${THOUGHT}<|end|><|start|>assistant`;
const SECOND = `<|channel|>commentary to=functions.weather <|constrain|>json<|message|>{"city":"Bern"}<|call|>`;
/** Tokens of a prompt, about: attention is their mean. */
const CONTEXT = 200;
const HIDDEN = 64;
const FLAG = HIDDEN - 1;

/** Directions of the script's tokens, and who follows whom: alone, and once the thought is written. */
interface Script {
  readonly place: ReadonlyMap<number, number>;
  readonly before: readonly (readonly [id: number, next: number])[];
  readonly after: readonly (readonly [id: number, next: number])[];
}

function scriptOf(first: readonly number[], second: readonly number[]): Script {
  const pairs = (ids: readonly number[]) => ids.slice(1).map((id, i) => [ids[i] ?? 0, id] as const);
  const place = new Map<number, number>();
  for (const id of [...first, ...second]) if (!place.has(id)) place.set(id, place.size);
  expect(place.size).toBeLessThan(FLAG);
  const [start = 0] = second;
  const last = first.at(-1) ?? 0;
  return { place, before: [...pairs(first), [last, start]], after: pairs(second) };
}

async function makeFolder(): Promise<string> {
  const folder = mkdtempSync(join(tmpdir(), "gpt-oss-auto-"));
  const config = {
    ...JSON.parse(readFileSync("models/tiny/drawn/gpt-oss/config.json", "utf8")),
    vocab_size: 201_088,
    max_position_embeddings: 4096,
    eos_token_id: [200_002, 200_012],
  };
  writeFileSync(join(folder, "config.json"), JSON.stringify(config));
  writeFileSync(join(folder, "tokenizer.json"), gunzipSync(readFileSync(tokenizer ?? "")));
  writeFileSync(join(folder, "tokenizer_config.json"), JSON.stringify({ eos_token: "<|return|>" }));
  cpSync(template ?? "", join(folder, "chat_template.jinja"));
  const words = loadTokenizer(folder, {});
  const ids = async (text: string) => [
    ...((await words?.encode(text, { addSpecialTokens: false })) ?? []),
  ];
  const script = scriptOf(await ids(FIRST), await ids(SECOND));
  const thought = script.place.get((await ids(THOUGHT))[0] ?? -1) ?? -1;
  const tensors = new Map<string, TensorEntry>();
  for (const { name, shape, within } of architectureWeights(describeComputed(config))) {
    const stored = within?.transposed ? [shape[0] ?? 0, shape[2] ?? 0, shape[1] ?? 0] : shape;
    const size = shape.reduce((product, axis) => product * axis, 1);
    const data = new Float32Array(size).fill(name.endsWith("norm.weight") ? 1 : 0);
    fill(name, data, script, thought);
    tensors.set(name, { dtype: "F32", shape: stored, data });
  }
  writeSafetensors(join(folder, "model.safetensors"), tensors);
  return folder;
}

function fill(name: string, data: Float32Array, script: Script, thought: number): void {
  const { place, before, after } = script;
  if (name === "model.embed_tokens.weight")
    for (const [id, at] of place) data[id * HIDDEN + at] = 1;
  if (name.endsWith("sinks")) data.fill(-30);
  // The layer that sees all: its first value is whether the thought is among the tokens.
  if (name === "model.layers.1.self_attn.v_proj.weight")
    data[thought] = CONTEXT / Math.sqrt(HIDDEN);
  if (name === "model.layers.1.self_attn.o_proj.weight") data[FLAG * 4 * 32] = 1;
  if (name !== "lm_head.weight") return;
  const twice = new Set(before.map(([id]) => id).filter((id) => after.some(([it]) => it === id)));
  for (const [id, next] of before)
    data[next * HIDDEN + (place.get(id) ?? 0)] = twice.has(id) ? 1.25 : 1;
  for (const [id, next] of after) {
    data[next * HIDDEN + (place.get(id) ?? 0)] = 1;
    if (twice.has(id)) data[next * HIDDEN + FLAG] = 0.5;
  }
}

describe.skipIf(tokenizer === undefined || template === undefined)(
  "gpt-oss with tool_choice auto (skipped without TRAINYARD_DATA)",
  () => {
    let folder = "";
    let server: TestServer;
    beforeAll(async () => {
      folder = await makeFolder();
      const flags = ["--device", "cpu", "--max-model-len", "1024", "--max-num-seqs", "2"];
      const parsers = ["--tool-call-parser", "openai", "--enable-auto-tool-choice"];
      server = await startServer([folder, "--served-model-name", "mini", ...flags, ...parsers]);
    }, 120_000);
    afterAll(async () => {
      await server?.stop(0);
      rmSync(folder, { recursive: true, force: true });
    });

    const body = {
      model: "mini",
      messages: [{ role: "user", content: "What is the weather in Bern?" }],
      tools: [
        {
          type: "function",
          function: {
            name: "weather",
            description: "of a city",
            parameters: {
              type: "object",
              properties: { city: { type: "string" } },
              required: ["city"],
            },
          },
        },
      ],
      temperature: 0,
      max_tokens: 100,
    };

    it("streams its reasoning, then the call", async () => {
      const events = await server.stream("/v1/chat/completions", {
        ...body,
        stream_options: { include_usage: true },
      });
      expect(events.at(-1)).toBe("[DONE]");
      const chunks = events.slice(0, -1).map((event) => JSON.parse(event));
      const choices = chunks.flatMap((chunk) => chunk.choices);
      const deltas = choices.map(({ delta }) => delta);
      expect(deltas.map(({ reasoning }) => reasoning ?? "").join("")).toBe(THOUGHT);
      expect(deltas.map(({ content }) => content ?? "").join("")).toBe("");
      const calls = deltas.flatMap((delta) => delta.tool_calls ?? []);
      expect(calls[0]).toMatchObject({ index: 0, function: { name: "weather" } });
      const text = calls.map((call) => call.function.arguments ?? "").join("");
      expect(text).toBe('{"city":"Bern"}');
      expect(choices.at(-1).finish_reason).toBe("tool_calls");
      expect(chunks.at(-1).usage.prompt_tokens).toBeGreaterThan(CONTEXT / 2);
    }, 60_000);

    it("says the same whole", async () => {
      const { json } = await server.post("/v1/chat/completions", body);
      const [choice] = json.choices;
      expect(choice.message.reasoning).toBe(THOUGHT);
      expect(choice.message.tool_calls[0].function).toEqual({
        name: "weather",
        arguments: '{"city":"Bern"}',
      });
      expect(choice.finish_reason).toBe("tool_calls");
    }, 60_000);
  },
);
