/**
 * vLLM's answers of a classifier and of a cross-encoder, whole: bodies, errors, what is not served.
 *
 *     node --import tsx scripts/maintain/goldens/pooling-answers.ts OUT       the folders
 *     vllm serve OUT/NAME --served-model-name m --dtype float32
 *     node --import tsx scripts/maintain/goldens/pooling-answers.ts NAME VLLM_URL
 */
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { folderNamed, makeFolder } from "../../../test/conformance/pooling/folder.ts";

const OUT = "test/conformance/pooling/answers.json";

const LONG = { text_1: `the cat ${"cats ".repeat(5)}`, text_2: `money ${"cats ".repeat(30)}` };
const DOCUMENTS = [
  "the river bank.",
  "cats sitting on the mat, the river, and the bank of money",
  "a",
  "",
];

const CASES: Readonly<Record<string, readonly (readonly [path: string, body: object])[]>> = {
  sentiment: [
    ["/classify", { input: ["The cat sat on the mat.", "a"] }],
    ["/classify", { input: "money in the bank", use_activation: false }],
    ["/classify", { input: [2, 5, 6, 3] }],
    ["/classify", { input: "" }],
    ["/classify", { input: [] }],
    ["/classify", { input: "a", normalize: true }],
    ["/classify", { input: "a", cache_salt: "" }],
    ["/classify", { messages: [{ role: "user", content: "hi" }] }],
    ["/classify", { input: "the cat ".repeat(60), truncate_prompt_tokens: 10 }],
    ["/classify", { input: [9999] }],
    ["/classify", { model: "nope", input: "a" }],
    ["/pooling", { model: "nope", input: "a" }],
    ["/pooling", { input: "a" }],
    ["/pooling", { input: "a", task: "classify", encoding_format: "base64" }],
    ["/pooling", { input: "a", task: "token_classify" }],
    ["/v1/embeddings", { input: "a" }],
    ["/score", { text_1: "a", text_2: "b" }],
    ["/rerank", { query: "a", documents: ["b"] }],
    ["/v1/chat/completions", { messages: [{ role: "user", content: "hi" }] }],
  ],
  "ms-marco-minilm": [
    ["/score", { text_1: "the cat sat", text_2: DOCUMENTS }],
    ["/score", { queries: ["the cat", "money"], documents: ["a cat", "bank"] }],
    ["/rerank", { query: "the cat sat", documents: DOCUMENTS }],
    ["/v2/rerank", { query: "the cat sat", documents: DOCUMENTS, top_n: 2 }],
    ["/rerank", { query: "the cat sat", documents: [] }],
    ["/score", { text_1: [], text_2: ["a"] }],
    ["/score", { text_1: ["a", "b"], text_2: ["a"] }],
    ["/score", { model: "nope", text_1: "a", text_2: ["a"] }],
    ["/score", { model: "nope", text_1: [], text_2: ["a"] }],
    ["/v1/rerank", { model: "nope", query: "a", documents: ["b"] }],
    ["/score", { ...LONG, truncate_prompt_tokens: 20 }],
    ["/score", { ...LONG, truncate_prompt_tokens: 20, truncation_side: "left" }],
    ["/score", { ...LONG, truncate_prompt_tokens: 20, truncation_side: "right" }],
    ["/score", { text_1: "the cat", text_2: "cats ".repeat(110) }],
    ["/classify", { input: "the cat sat" }],
  ],
};

async function main([name, url]: readonly string[]): Promise<void> {
  if (name !== undefined && url === undefined) {
    for (const each of Object.keys(CASES)) console.log(makeFolder(name, folderNamed(each)));
    return;
  }
  const cases = CASES[name ?? ""];
  if (cases === undefined)
    throw new Error(`usage: pooling-answers.ts ${Object.keys(CASES).join("|")} VLLM_URL`);
  const answers: object[] = [];
  for (const [path, body] of cases) {
    const response = await fetch(url + path, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify(body),
    });
    answers.push({ path, body, status: response.status, answer: await response.json() });
  }
  const known = existsSync(OUT) ? (JSON.parse(readFileSync(OUT, "utf8")) as object) : {};
  writeFileSync(OUT, `${JSON.stringify({ ...known, [name ?? ""]: answers }, undefined, 1)}\n`);
}

await main(process.argv.slice(2));
