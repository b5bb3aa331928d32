/** Folders as bge, e5, MiniLM, their rerankers, classifiers and decoders that embed are published: transformers' numbers. */
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, it } from "vitest";
import { startServer, type TestServer } from "../../support/server.ts";
import { FOLDERS, type FolderGolden, folderNamed, makeFolder } from "./folder.ts";

const work = mkdtempSync(join(tmpdir(), "pooling-folders-"));
afterAll(() => rmSync(work, { recursive: true, force: true }));

async function served(
  golden: FolderGolden,
  use: (server: TestServer) => Promise<void>,
  flags: readonly string[] = [],
): Promise<void> {
  const folder = makeFolder(work, golden);
  const server = await startServer([
    folder,
    "--device",
    "cpu",
    "--served-model-name",
    "m",
    ...flags,
  ]);
  try {
    await use(server);
  } finally {
    await server.stop(0);
  }
}

const close = (found: readonly number[], wanted: readonly number[]) => {
  expect(found).toHaveLength(wanted.length);
  for (const [at, value] of wanted.entries()) expect(found[at]).toBeCloseTo(value, 4);
};

const sigmoid = (x: number) => 1 / (1 + Math.exp(-x));

function softmax(logits: readonly number[]): readonly number[] {
  const powers = logits.map((one) => Math.exp(one));
  const sum = powers.reduce((a, b) => a + b, 0);
  return powers.map((one) => one / sum);
}

it.each(FOLDERS.filter(({ embeddings }) => embeddings).map(({ name }) => name))(
  "%s embeds",
  async (name) => {
    const golden = folderNamed(name);
    const cases = golden.embeddings ?? [];
    await served(golden, async (server) => {
      const inputs = cases.map(({ input }) => input);
      // Lists of texts and of ids go in one request each.
      const { json } = await server.post("/v1/embeddings", { input: inputs });
      for (const [at, { vector }] of cases.entries()) close(json.data[at].embedding, vector);
      const told = golden.files["sentence_bert_config.json"] as
        | { max_seq_length: number }
        | undefined;
      const cards = (await server.get("/v1/models")).json.data;
      expect(cards[0].max_model_len).toBe(told?.max_seq_length ?? 256);
      expect((await server.post("/v1/chat/completions", { messages: [] })).status).toBe(404);
      expect((await server.post("/classify", { input: "a" })).status).toBe(404);
    });
  },
);

it.each(["sentiment", "toxicity", "llama-classifier", "qwen3-reward"])(
  "%s classifies",
  async (name) => {
    const golden = folderNamed(name);
    const { id2label, problem_type: problem } = golden.files["config.json"] as {
      id2label: Record<string, string>;
      problem_type?: string;
    };
    const cases = golden.logits ?? [];
    await served(golden, async (server) => {
      const inputs = cases.map(({ input }) => input);
      const { json } = await server.post("/classify", { input: inputs });
      const raw = (await server.post("/classify", { input: inputs, use_activation: false })).json;
      const list = (await server.post("/pooling", { input: inputs, task: "classify" })).json;
      for (const [at, { logits }] of cases.entries()) {
        close(raw.data[at].probs, logits);
        const { probs, label, num_classes: classes } = json.data[at];
        const wanted =
          problem === "regression" ? logits : problem ? logits.map(sigmoid) : softmax(logits);
        close(probs, wanted);
        expect(label).toBe(id2label[probs.indexOf(Math.max(...probs))]);
        expect(classes).toBe(logits.length);
        expect(list.data[at]).toEqual({ index: at, object: "pooling", data: probs });
      }
      expect((await server.post("/v1/embeddings", { input: "a" })).status).toBe(404);
      const alike = (await server.post("/score", { text_1: "a", text_2: "b" })).status;
      expect(alike).toBe(name === "qwen3-reward" ? 400 : 404); // one label compares, but not without a tokenizer
    });
  },
);

it.each(["bge-reranker", "ms-marco-minilm"])("%s compares", async (name) => {
  const golden = folderNamed(name);
  const cases = golden.pairs ?? [];
  const named = name === "bge-reranker" ? sigmoid : (x: number) => x;
  await served(golden, async (server) => {
    const [left, right] = [0, 1].map((side) => cases.map(({ pair }) => pair[side as 0 | 1]));
    const { json } = await server.post("/score", { text_1: left, text_2: right });
    close(
      json.data.map(({ score }: { score: number }) => score),
      cases.map(({ logits: [logit = 0] }) => named(logit)),
    );
    expect(json.usage.prompt_tokens).toBe(cases.reduce((sum, { ids }) => sum + ids.length, 0));
    const query = cases[0]?.pair[0] ?? "";
    const documents = [...(right ?? []), "a"];
    const ranked = (await server.post("/rerank", { query, documents })).json;
    const scored = (await server.post("/score", { text_1: query, text_2: documents })).json;
    for (const { index, relevance_score: score, document } of ranked.results) {
      expect(score).toBe(scored.data[index].score);
      expect(document.text).toBe(documents[index]);
    }
    const scores = ranked.results.map((one: { relevance_score: number }) => one.relevance_score);
    expect(scores).toEqual([...scores].sort((a, b) => b - a));
    const cut = { text_1: query, text_2: "cats ".repeat(70) };
    expect((await server.post("/score", cut)).json.error.message).toContain(
      "maximum context length",
    );
    const { usage } = (await server.post("/score", { ...cut, truncate_prompt_tokens: 20 })).json;
    expect(usage.prompt_tokens).toBe(20);
  });
});

it("a decoder pools as --pooler-config says, and classifies by a head that it has", async () => {
  const golden = folderNamed("llama-mean");
  const flags = ["--pooler-config", '{"pooling_type": "LAST", "use_activation": true}'];
  await served(
    golden,
    async (server) => {
      const { json } = await server.post("/v1/embeddings", {
        input: [golden.embeddings?.[1]?.input],
      });
      // Of one token the last is the mean, here of length 1.
      const vector = golden.embeddings?.[1]?.vector ?? [];
      const length = Math.hypot(...vector);
      close(
        json.data[0].embedding,
        vector.map((one) => one / length),
      );
    },
    flags,
  );
  await expect(served(golden, async () => {}, ["--convert", "classify"])).rejects.toThrow(
    "score.weight",
  );
  for (const [given, said] of [
    ['{"pooling_type": "ALL"}', "LAST, CLS or MEAN"],
    ['{"step_tag_id": 3}', "step_tag_id"],
    ['{"task": "classify"}', "Unsupported task"],
    ['{"logit_sigma": 0}', "logit_sigma"],
  ]) {
    await expect(served(golden, async () => {}, ["--pooler-config", given ?? ""])).rejects.toThrow(
      said,
    );
  }
  await expect(served(golden, async () => {}, ["--convert", "none"])).rejects.toThrow(
    "--runner pooling",
  );
  const headed = folderNamed("sentiment");
  await expect(served(headed, async () => {}, ["--runner", "generate"])).rejects.toThrow(
    "--runner auto",
  );
});

/** vLLM's answers whole: what changes from run to run is masked, numbers may differ in their last digits. */
const answers = JSON.parse(
  readFileSync(new URL("answers.json", import.meta.url), "utf8"),
) as Readonly<Record<string, readonly VllmAnswer[]>>;

interface VllmAnswer {
  readonly path: string;
  readonly body: object;
  readonly status: number;
  readonly answer: object;
}

/** Ids by their prefix, no time, numbers to four digits, base64 by its length. */
function told(answer: object): unknown {
  return JSON.parse(
    JSON.stringify(answer, (key, value: unknown) => {
      if (key === "created") return 0;
      if (key === "id") return String(value).replace(/-.*/, "");
      if (key === "data" && typeof value === "string") return value.length;
      return typeof value === "number" && !Number.isInteger(value)
        ? Number(value.toFixed(4))
        : value;
    }),
  );
}

it.each(Object.keys(answers))("%s answers as vLLM", async (name) => {
  await served(folderNamed(name), async (server) => {
    for (const { path, body, status, answer } of answers[name] ?? []) {
      const found = await server.post(path, body);
      expect({ path, body, status: found.status, answer: told(found.json) }).toEqual({
        ...{ path, body, status, answer: told(answer) },
      });
    }
  });
});
