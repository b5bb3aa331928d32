/** Options of completions together. */

import type { VllmCase } from "./case.ts";
import { eachWay, type Row } from "./each-way.ts";

const rows: readonly Row[] = [
  ["n 2", { max_tokens: 2, top_k: 1, n: 2, temperature: 1 }, "usage"],
  ["n 2 echo", { max_tokens: 2, top_k: 1, n: 2, echo: true, temperature: 1 }, "plain"],
  ["two prompts usage", { prompt: ["Tom", "Sue had"], max_tokens: 1 }, "usage"],
  ["two prompts continuous", { prompt: ["Tom", "Sue had"], max_tokens: 1 }, "all along"],
  [
    "two prompts logprobs echo",
    { prompt: ["Tom ran", "Sue had"], max_tokens: 1, echo: true, logprobs: 1 },
    "plain",
  ],
  [
    "two prompts token ids",
    { prompt: ["Tom ran", "Sue had"], max_tokens: 1, return_token_ids: true },
    "plain",
  ],
  ["echo usage", { max_tokens: 4, echo: true }, "usage"],
  ["echo continuous", { max_tokens: 2, echo: true }, "all along"],
  ["echo logprobs stop", { max_tokens: 30, echo: true, logprobs: 1, stop: ["."] }, "plain"],
  [
    "echo logprobs ids as ids",
    {
      prompt: [300, 301, 302],
      max_tokens: 2,
      echo: true,
      logprobs: 1,
      return_tokens_as_token_ids: true,
    },
    "plain",
  ],
  [
    "echo logprobs and token ids",
    { max_tokens: 2, echo: true, logprobs: 0, return_token_ids: true },
    "plain",
  ],
  ["echo truncated", { max_tokens: 3, echo: true, truncate_prompt_tokens: 2 }, "plain"],
  ["logprobs stop", { max_tokens: 40, logprobs: 1, stop: ["."] }, "plain"],
  [
    "logprobs stop included",
    { max_tokens: 40, logprobs: 1, stop: ["."], include_stop_str_in_output: true },
    "plain",
  ],
  ["logprobs continuous", { max_tokens: 3, logprobs: 2 }, "all along"],
  ["logprobs ids", { max_tokens: 3, logprobs: 1, return_token_ids: true }, "plain"],
  ["regex", { structured_outputs: { regex: "[A-Z][a-z]{2,5}" } }, "usage"],
  ["choice", { structured_outputs: { choice: ["Anna", "Bob"] } }, "usage"],
  [
    "format enum",
    {
      response_format: {
        type: "json_schema",
        json_schema: { name: "q", schema: { enum: ["a b", "c"] } },
      },
    },
    "usage",
  ],
  ["ends itself", { prompt: "The end.", max_tokens: 400 }, "usage"],
  [
    "stop ids",
    { max_tokens: 40, stop_token_ids: [270, 271, 272, 273, 274, 275, 276, 277] },
    "plain",
  ],
  ["min_tokens stop", { max_tokens: 40, min_tokens: 12, stop: ["."] }, "plain"],
  ["bad words", { bad_words: ["Lily", "Lucy", "Sue"] }, "plain"],
  ["bias", { max_tokens: 3, logit_bias: { "500": 100 } }, "plain"],
  ["skip special", { prompt: "The end.", max_tokens: 400, skip_special_tokens: false }, "plain"],
  ["salt and priority", { cache_salt: "x", priority: 3 }, "plain"],
  ["special in prompt", { prompt: "<|im_start|>assistant\n", max_tokens: 8 }, "plain"],
  [
    "special in prompt echo",
    { prompt: "<|im_start|>assistant\n", max_tokens: 3, echo: true },
    "plain",
  ],
  [
    "special echo unskipped",
    { prompt: "<|im_start|>assistant\n", max_tokens: 3, echo: true, skip_special_tokens: false },
    "plain",
  ],
  [
    "ids prompt echo",
    {
      prompt: [
        [300, 301],
        [302, 303, 304],
      ],
      max_tokens: 1,
      echo: true,
    },
    "plain",
  ],
  [
    "penalties",
    { max_tokens: 40, frequency_penalty: 1, presence_penalty: 1, repetition_penalty: 1.2 },
    "plain",
  ],
  ["request_id", { request_id: "abc", user: "u" }, "plain"],
  ["prompt_logprobs echo", { max_tokens: 1, prompt_logprobs: 1, echo: true }, "whole"],
  [
    "prompt_logprobs two prompts",
    { prompt: ["Tom ran", "Sue"], max_tokens: 1, prompt_logprobs: 0 },
    "whole",
  ],
  ["prompt_logprobs logprobs", { max_tokens: 1, prompt_logprobs: 1, logprobs: 1 }, "whole"],
  [
    "prompt_logprobs token ids",
    { max_tokens: 1, prompt_logprobs: 1, return_token_ids: true },
    "whole",
  ],
  [
    "max 0 logprobs echo ids",
    { prompt: [300, 301, 302], max_tokens: 0, echo: true, logprobs: 2 },
    "whole",
  ],
  [
    "max 0 echo usage stream",
    { max_tokens: 0, echo: true, stream: true, stream_options: { include_usage: true } },
    "whole",
  ],
];

export const combinedTextCases: readonly VllmCase[] = eachWay(rows, "completion");
