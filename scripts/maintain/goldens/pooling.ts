/**
 * vLLM's embeddings, scores and ranks of a decoder:
 *
 *     node --import tsx scripts/maintain/goldens/adapter-folders.ts OUT
 *     vllm serve OUT/base --served-model-name m --dtype float32 --runner pooling
 *     node --import tsx scripts/maintain/goldens/pooling.ts VLLM_URL
 */
import { writeFileSync } from "node:fs";

const OUT = "test/conformance/pooling/decoder.json";

const TEXTS = [
  "Once upon a time there was a little fox.",
  "The moon rose over the river, and the boats came home. ".repeat(6),
  "a",
  "Where is the cat? It sat on the mat.",
];

const RANKED = {
  query: "Where is the cat?",
  documents: ["The moon is far away.", "The cat sat on the mat.", "A fox ran.", "cats and dogs"],
};

async function main([url]: readonly string[]): Promise<void> {
  if (url === undefined) throw new Error("usage: pooling.ts VLLM_URL");
  const ask = async (path: string, body: object) => {
    const response = await fetch(url + path, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify(body),
    });
    if (!response.ok) throw new Error(await response.text());
    return response.json();
  };
  const { data } = (await ask("/v1/embeddings", { input: TEXTS })) as {
    data: { embedding: number[] }[];
  };
  const { results } = (await ask("/rerank", RANKED)) as { results: object[] };
  const embeddings = data.map(({ embedding }) =>
    embedding.map((value) => Number(value.toFixed(7))),
  );
  writeFileSync(OUT, `${JSON.stringify({ texts: TEXTS, embeddings, ranked: RANKED, results })}\n`);
}

await main(process.argv.slice(2));
