/** What sampling refuses that no schema can: limits, and what a model without words or logits lacks. */
import { expect, it } from "vitest";
import type { SamplingFields } from "../../../server/generation/fields.ts";
import { samplingParams } from "../../../server/generation/params.ts";

const encode = async (text: string) => Int32Array.from(text, (char) => char.charCodeAt(0) % 100);

async function read(
  fields: object,
  {
    logprobs,
    samples = true,
    words = true,
  }: { readonly logprobs?: number; readonly samples?: boolean; readonly words?: boolean } = {},
) {
  const { params } = await samplingParams(
    fields as SamplingFields,
    { maxTokens: 4, ...(logprobs !== undefined && { logprobs }) },
    {
      ...{ defaults: { eosTokenIds: [] }, vocabSize: 100, maxModelLen: 64, maxLogprobs: 20 },
      ...{ samples, ...(words && { encode }) },
    },
  );
  return params;
}

it.each([
  [{ logprob_token_ids: [1] }, {}, "`logprobs` must be set to true", "logprob_token_ids"],
  [
    { logprob_token_ids: Array.from({ length: 129 }, () => 1) },
    { logprobs: 0 },
    "logprob_token_ids of length 129, which is greater than max allowed: 128",
    "logprob_token_ids",
  ],
  [{ bad_words: ["a"] }, { words: false }, "bad_words needs a tokenizer", "bad_words"],
  [
    { bad_words: ["a", " \n"] },
    {},
    "bad_words entries must tokenize to at least one token. (parameter=bad_words",
    "bad_words",
  ],
  [{ bad_words: ["x".repeat(100_001)] }, {}, "at most 100000 are tokenized", "bad_words"],
  [
    { bad_words: Array.from({ length: 129 }, (_, at) => `w${at}`) },
    {},
    "Too many bad words after tokenization: 129. The max number is 128.",
    "bad_words",
  ],
  [{}, { logprobs: 1, samples: false }, "logprobs", "logprobs"],
  [
    { repetition_penalty: Number.NaN },
    {},
    "repetition_penalty must be a finite number, got nan",
    null,
  ],
  [
    { temperature: Number.POSITIVE_INFINITY },
    {},
    "temperature must be a finite number, got inf",
    "temperature",
  ],
])("%j beside %j is refused", async (fields, more, message, param) => {
  const error = await read(fields, more).catch((thrown) => thrown);
  expect(error.message).toContain(message);
  expect([error.status, error.param ?? null]).toEqual([400, param]);
});

it.each([
  ["٣٠", 30],
  ["３_0", 30],
  ["𝟛", 3],
  ["𝟬", 0],
])("reads the key %s of logit_bias as Python does", async (key, id) => {
  expect((await read({ logit_bias: { [key]: 1 } })).logitBias).toEqual(new Map([[id, 1]]));
});

it("reads no key of logit_bias that is longer than any number", async () => {
  const error = await read({ logit_bias: { [`${"1_".repeat(4_000_000)}1`]: 1 } }).catch((it) => it);
  expect([error.status, error.param]).toEqual([400, "logit_bias"]);
});

it("names logprobs of ids instead of the likeliest, and bans a word with and without a space", async () => {
  const named = await read({ logprob_token_ids: [3, 4] }, { logprobs: 5 });
  expect(named).toMatchObject({ logprobs: 0, logprobTokenIds: [3, 4] });
  expect((await read({ logit_bias: { " 1_0 ": 3 } })).logitBias).toEqual(new Map([[10, 3]]));
  const { badWords } = await read({ bad_words: [" b"] });
  // As long a spelling with a space in front would be banned too; this tokenizer's is longer.
  expect(badWords).toEqual([["b".charCodeAt(0) % 100]]);
});
