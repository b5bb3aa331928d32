/** Embeddings beside vLLM's of a decoder and transformers' of an encoder; scores and ranks of them. */
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import OpenAI from "openai";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { makeBase } from "../../../scripts/maintain/goldens/adapter-folders.ts";
import { seeded } from "../../support/random-model.ts";
import { writeSafetensors } from "../../support/safetensors.ts";
import { startServer, type TestServer } from "../../support/server.ts";

interface EncoderGolden {
  readonly config: Readonly<Record<string, unknown>>;
  readonly vocabulary: readonly string[];
  readonly tensors: readonly (readonly [string, readonly number[], number, number])[];
  readonly cases: readonly {
    readonly text: string;
    readonly ids: readonly number[];
    readonly cls: readonly number[];
    readonly mean: readonly number[];
  }[];
}

interface DecoderGolden {
  readonly texts: readonly string[];
  readonly embeddings: readonly (readonly number[])[];
  readonly ranked: { readonly query: string; readonly documents: readonly string[] };
  readonly results: readonly { readonly index: number; readonly relevance_score: number }[];
}

const read = <T>(name: string): T =>
  JSON.parse(readFileSync(new URL(name, import.meta.url), "utf8")) as T;
const encoder = read<EncoderGolden>("encoder.json");
const decoder = read<DecoderGolden>("decoder.json");

let work = "";
beforeAll(() => {
  work = mkdtempSync(join(tmpdir(), "pooling-"));
  makeBase(join(work, "decoder"));
});
afterAll(() => rmSync(work, { recursive: true, force: true }));

/** A folder as sentence-transformers saves it; `prefix` in front of all names, as classes with a head have it. */
function makeEncoder(
  name: string,
  pooling: "cls" | "mean",
  { normalise = true, prefix = "" } = {},
) {
  const folder = join(work, name);
  mkdirSync(join(folder, "1_Pooling"), { recursive: true });
  const random = seeded(1);
  const tensors = encoder.tensors.map(([tensor, shape, centre, half]) => {
    const count = shape.reduce((product, size) => product * size, 1);
    const data = Float32Array.from({ length: count }, () => centre + half * (2 * random() - 1));
    return [prefix + tensor, { dtype: "F32", shape, data }] as const;
  });
  writeSafetensors(join(folder, "model.safetensors"), new Map(tensors));
  const write = (file: string, value: unknown) =>
    writeFileSync(join(folder, file), typeof value === "string" ? value : JSON.stringify(value));
  write("config.json", encoder.config);
  write("vocab.txt", `${encoder.vocabulary.join("\n")}\n`);
  write("tokenizer_config.json", { tokenizer_class: "BertTokenizer", do_lower_case: true });
  const type = (module: string) => `sentence_transformers.models.${module}`;
  const modules = [
    { idx: 0, name: "0", path: "", type: type("Transformer") },
    { idx: 1, name: "1", path: "1_Pooling", type: type("Pooling") },
    ...(normalise ? [{ idx: 2, name: "2", path: "2_Normalize", type: type("Normalize") }] : []),
  ];
  write("modules.json", modules);
  write("1_Pooling/config.json", {
    word_embedding_dimension: 64,
    pooling_mode_cls_token: pooling === "cls",
    pooling_mode_mean_tokens: pooling === "mean",
  });
  return folder;
}

function cosine(a: readonly number[], b: readonly number[]): number {
  const dot = (x: readonly number[], y: readonly number[]): number =>
    x.reduce((sum, value, index) => sum + value * (y[index] ?? 0), 0);
  return dot(a, b) / Math.sqrt(dot(a, a) * dot(b, b));
}

async function embed(server: TestServer, input: unknown, more: object = {}) {
  const { status, json } = await server.post("/v1/embeddings", { input, ...more });
  expect({ status, error: json.error }).toEqual({ status: 200, error: undefined });
  return json.data.map(({ embedding }: { embedding: number[] }) => embedding) as number[][];
}

describe("an encoder", () => {
  it.each(["cls", "mean"] as const)("gives transformers' embeddings: %s", async (pooling) => {
    const prefix = pooling === "mean" ? "bert." : "";
    const server = await startServer([makeEncoder(pooling, pooling, { prefix })]);
    try {
      const texts = encoder.cases.map(({ text }) => text);
      const together = await embed(server, texts);
      for (const [index, golden] of encoder.cases.entries()) {
        const { json } = await server.post("/tokenize", { prompt: golden.text });
        expect(json.tokens).toEqual(golden.ids);
        expect(cosine(together[index] ?? [], golden[pooling])).toBeGreaterThan(0.999999);
        // Bit for bit, as numbers and as ids.
        expect(await embed(server, golden.text)).toEqual([together[index]]);
        expect(await embed(server, [golden.ids])).toEqual([together[index]]);
      }
    } finally {
      await server.stop(0);
    }
  });

  it("generates nothing, and says how long a text may be", async () => {
    const server = await startServer([makeEncoder("plain", "mean", { normalise: false })]);
    try {
      for (const path of ["/v1/completions", "/v1/chat/completions", "/v1/responses"]) {
        expect((await server.post(path, { prompt: "a", messages: [] })).status).toBe(404);
      }
      const { status, json } = await server.post("/v1/embeddings", { input: "cat ".repeat(150) });
      expect(status).toBe(400);
      expect(json.error.message).toContain("maximum context length is 128 tokens");
      const [cut] = await embed(server, "cat ".repeat(150), { truncate_prompt_tokens: -1 });
      expect(cut).toHaveLength(64);
      const [long] = await embed(server, "cat");
      const [short] = await embed(server, "cat", { use_activation: true });
      expect(Math.hypot(...(long ?? []))).toBeGreaterThan(2);
      expect(Math.hypot(...(short ?? []))).toBeCloseTo(1, 6);
    } finally {
      await server.stop(0);
    }
  });
});

describe("a decoder", () => {
  let server: TestServer;
  beforeAll(async () => {
    server = await startServer([
      ...[join(work, "decoder"), "--device", "cpu", "--runner", "pooling"],
      ...["--served-model-name", "m", "--max-num-batched-tokens", "48", "--max-num-seqs", "3"],
    ]);
  });
  afterAll(() => server.stop(0));

  it("gives vLLM's embeddings, batched and alone bit for bit", async () => {
    const together = await embed(server, decoder.texts);
    for (const [index, golden] of decoder.embeddings.entries()) {
      expect(cosine(together[index] ?? [], golden)).toBeGreaterThan(0.99999);
      expect(await embed(server, decoder.texts[index])).toEqual([together[index]]);
    }
    const crowd = await Promise.all(
      Array.from({ length: 24 }, (_, index) => embed(server, decoder.texts[index % 4])),
    );
    for (const [index, [one]] of crowd.entries()) expect(one).toEqual(together[index % 4]);
  });

  it("ranks and scores as vLLM, under all spellings", async () => {
    const { json } = await server.post("/rerank", decoder.ranked);
    expect(json.results.map(({ index }: { index: number }) => index)).toEqual(
      decoder.results.map(({ index }) => index),
    );
    for (const [place, { relevance_score: score }] of decoder.results.entries()) {
      expect(json.results[place].relevance_score).toBeCloseTo(score, 4);
    }
    expect(json.results[0].document).toEqual({
      text: decoder.ranked.documents[json.results[0].index],
      multi_modal: null,
    });
    const { results, usage } = json;
    for (const path of ["/v1/rerank", "/v2/rerank"]) {
      const again = (await server.post(path, { ...decoder.ranked, top_n: 2 })).json;
      expect(again).toMatchObject({ model: "m", usage, results: results.slice(0, 2) });
    }
    const { query, documents } = decoder.ranked;
    const scores = documents.map(
      (_, index) => results.find((one: { index: number }) => one.index === index).relevance_score,
    );
    for (const [path, sides] of [
      ["/score", ["text_1", "text_2"]],
      ["/v1/score", ["queries", "documents"]],
      ["/score", ["data_1", "data_2"]],
      ["/score", ["queries", "items"]],
    ] as const) {
      const body = { [sides[0]]: query, [sides[1]]: documents };
      const scored = (await server.post(path, body)).json;
      expect(scored.data.map(({ score }: { score: number }) => score)).toEqual(scores);
      expect(scored.usage.prompt_tokens).toBe(usage.prompt_tokens);
    }
  });

  it("names an answer by its client's own id, where it gives one", async () => {
    const id = async (headers: Readonly<Record<string, string>>, body: object) =>
      (await server.post("/v1/embeddings", { input: "a", ...body }, headers)).json.id;
    expect(await id({ "x-request-id": "mine" }, { request_id: "body" })).toBe("embd-mine");
    expect(await id({}, { request_id: "body" })).toBe("embd-body");
    expect(await id({}, {})).toMatch(/^embd-[0-9a-f]{16}$/);
  });

  it("refuses in vLLM's words", async () => {
    const refused = async (path: string, body: object) =>
      (await server.post(path, body)).json.error;
    const bad = { type: "BadRequestError", param: null, code: 400 };
    expect(await refused("/v1/embeddings", { input: "a", dimensions: 8 })).toEqual({
      message:
        "Model 'm' does not support Matryoshka embeddings; dimensions must be unset (received dimensions=8).",
      ...bad,
    });
    expect(await refused("/v1/embeddings", { input: "a", normalize: false })).toEqual({
      message:
        "Parameter `normalize` was removed; use `use_activation` instead. (parameter=normalize)",
      ...{ ...bad, param: "normalize" },
    });
    expect(await refused("/v1/embeddings", { input: [] })).toEqual({
      ...{ message: "You must pass at least one prompt", ...bad },
    });
    expect(await refused("/v1/embeddings", { input: ["Once", ""] })).toEqual({
      ...{ message: "The decoder prompt cannot be empty", ...bad },
    });
    expect(await refused("/pooling", { input: "a", task: "token_embed" })).toEqual({
      message:
        "Try switching the model's pooling_task via --pooler-config.task token_embed. (parameter=task)",
      ...{ ...bad, param: "task" },
    });
    expect(await refused("/score", { text_1: ["a", "b", "c"], text_2: ["a", "b"] })).toEqual({
      ...{ message: "Input lengths must be either 1:1, 1:N or N:N", ...bad },
    });
    expect(await refused("/v2/rerank", { query: "a", documents: [] })).toEqual({
      ...{ message: "At least one text_pair element must be given", ...bad },
    });
    expect(await refused("/v1/embeddings", { model: "nope", input: "a" })).toMatchObject({
      ...{ type: "NotFoundError", code: 404 },
    });
    expect((await server.post("/v1/completions", { prompt: "a" })).status).toBe(404);
  });

  it("speaks with the OpenAI client, as numbers and as base64, and pools chats", async () => {
    const client = new OpenAI({ baseURL: `${server.url}/v1`, apiKey: "none" });
    const asked = { model: "m", input: "Once upon" };
    const base64 = await client.embeddings.create(asked); // asks for base64 by itself
    const floats = await client.embeddings.create({ ...asked, encoding_format: "float" });
    expect([...(base64.data[0]?.embedding ?? [])]).toEqual(floats.data[0]?.embedding);
    expect(floats.usage).toMatchObject({ prompt_tokens: 2, total_tokens: 2 });
    const { json } = await server.post("/pooling", { input: "Once upon", task: "embed" });
    expect(json.data[0]).toEqual({ index: 0, object: "pooling", data: floats.data[0]?.embedding });
    const chat = await server.post("/v1/embeddings", {
      messages: [{ role: "user", content: "Hi" }],
    });
    expect(chat.json.data[0].embedding).toHaveLength(256);
    const half = await server.post("/v1/embeddings", {
      ...{ input: "Once upon", encoding_format: "base64", embed_dtype: "float16" },
    });
    expect(Buffer.from(half.json.data[0].embedding, "base64")).toHaveLength(512);
  });
});

describe("a simulated device", () => {
  it("prices embeddings and says that its vectors are drawn", async () => {
    const server = await startServer([
      ...["google-bert/bert-base-uncased", "--device", "trainium", "--runner", "pooling"],
      ...["--served-model-name", "m", "--time-scale", "0.01"],
    ]);
    try {
      const { status, headers, json } = await server.post("/v1/embeddings", {
        input: [
          [101, 2009, 102],
          [101, 2009, 102],
          [101, 5],
        ],
      });
      expect(status).toBe(200);
      expect(headers.get("x-trainyard-simulation")).toContain("time of");
      const [a, b, c] = json.data.map((one: { embedding: number[] }) => one.embedding);
      expect(a).toHaveLength(768);
      expect(b).toEqual(a);
      expect(c).not.toEqual(a);
      expect(json.synthetic).toBe(true);
      // Each text has a context of its own: a list may be longer than it.
      const many = Array.from({ length: 600 }, (_, id) => [id, 5]);
      const all = await server.post("/v1/embeddings", { input: many });
      expect(all.json.data).toHaveLength(600);
      expect(all.json.usage.prompt_tokens).toBe(1200);
      const score = { text_1: "a", text_2: Array.from({ length: 4097 }, () => "b") };
      expect((await server.post("/score", score)).json.error.param).toBe("text_2");
    } finally {
      await server.stop(0);
    }
  });

  it("lets requests wait within the limits, drops those whose client left, and counts all", async () => {
    const server = await startServer([
      ...["google-bert/bert-base-uncased", "--device", "trainium", "--runner", "pooling"],
      ...["--served-model-name", "m", "--time-scale", "0.01", "--max-num-seqs", "1"],
      ...["--max-num-queued-reqs", "21", "--scheduling-policy", "priority", "--server-dev-mode"],
    ]);
    try {
      const text = (id: number) => Array.from({ length: 120 }, () => id);
      const waiting = (count: number) =>
        vi.waitFor(
          async () => expect(await server.metric("vllm:num_requests_waiting")).toBe(count),
          { timeout: 20_000 },
        );
      const ended: number[] = [];
      const ask = async (id: number, priority = 0) => {
        const body = { input: [text(id)], priority };
        const { status } = await server.post("/v1/embeddings", body);
        ended.push(id);
        return status;
      };
      await server.post("/pause?mode=keep", {});
      const first = ask(1);
      await waiting(1);
      const leaving = new AbortController();
      const gone = fetch(`${server.url}/v1/embeddings`, {
        ...{ method: "POST", headers: { "content-type": "application/json" } },
        ...{ body: JSON.stringify({ input: Array.from({ length: 18 }, () => text(2)) }) },
        signal: leaving.signal,
      }).catch(() => "gone");
      await waiting(19);
      const later = ask(3);
      await waiting(20);
      const sooner = ask(4, -1);
      await waiting(21);
      const refused = await server.post("/rerank", { query: "a", documents: ["b"] });
      expect(refused.status).toBe(503);
      expect(refused.headers.get("retry-after")).toMatch(/^[0-9]+$/);
      leaving.abort();
      expect(await gone).toBe("gone");
      await waiting(3);
      await server.post("/resume", {});
      expect(await Promise.all([first, later, sooner])).toEqual([200, 200, 200]);
      expect(ended).toEqual([4, 1, 3]);
      const success = "vllm:request_success_total";
      expect(await server.metric(success, 'finished_reason="stop"')).toBe(3);
      expect(await server.metric(success, 'finished_reason="abort"')).toBe(18);
      expect(await server.metric("vllm:prompt_tokens_total")).toBe(360);
      expect(await server.metric("vllm:generation_tokens_total")).toBe(0);
      expect(await server.metric("vllm:request_params_max_tokens_count")).toBe(0);
      expect(await server.metric("vllm:time_to_first_token_seconds_count")).toBe(3);
      const { requests } = (await server.get("/requests")).json;
      expect(requests).toHaveLength(5);
    } finally {
      await server.stop(0);
    }
  });
});
